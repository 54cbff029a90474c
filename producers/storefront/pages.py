"""The pages: what each address answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import jinja2
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from producers.storefront.basket import AskAgain, Basket, basket_from_cookie, quantity_from
from producers.storefront.checkout import COUNTRIES, buyer_from, is_token, order_of, sums_of
from producers.storefront.forms import form_of, page_number
from producers.storefront.shelf import Offer, Shelf
from producers.storefront.till import Till
from runtime.clock import Clock

CART = "cart"  # cookie
PAGE_SIZE = 24  # offers
LONGEST_QUERY = 100  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Everything that a page needs; each public method is an endpoint."""

    shelf: Shelf
    till: Till
    clock: Clock
    new_id: Callable[[], str]  # 32 hex digits nobody can guess
    templates: jinja2.Environment

    async def health(self, request: Request) -> Response:
        return Response("ok", media_type="text/plain")

    async def home(self, request: Request) -> Response:
        return self._page(request, "home.html", offers=self.shelf.featured(12))

    async def search(self, request: Request) -> Response:
        words = request.query_params.get("q", "").strip()
        slug = request.query_params.get("department", "")
        department = next((each for each in self.shelf.departments if each.slug == slug), None)
        if slug and department is None:
            raise HTTPException(404, "There is no such department.")
        try:
            number = page_number(request.query_params.get("page", "1"))
            if len(words) > LONGEST_QUERY:
                raise AskAgain("q", f"Search for at most {LONGEST_QUERY} characters.")
        except AskAgain as problem:
            return self._page(
                request, "search.html", 400, words="", department=None, offers=[], found=0, problem=problem
            )
        offers = self.shelf.search(words, slug)
        start = (number - 1) * PAGE_SIZE
        return self._page(
            request,
            "search.html",
            words=words,
            department=department,
            offers=offers[start : start + PAGE_SIZE],
            found=len(offers),
            number=number,
            pages=max(1, -(-len(offers) // PAGE_SIZE)),
        )

    async def product(self, request: Request) -> Response:
        return self._product(request, self._offer(request.path_params["sku"]))

    async def cart(self, request: Request) -> Response:
        return self._page(request, "cart.html")

    async def add(self, request: Request) -> Response:
        form = await form_of(request)
        offer = self._offer(form.get("sku", ""))
        try:
            basket = self._basket(request).added(offer.sku, quantity_from(form.get("quantity", "")))
        except AskAgain as problem:
            return self._product(request, offer, problem=problem)
        return _with_cart(request, _see("/cart"), basket)

    async def change(self, request: Request) -> Response:
        form = await form_of(request)
        offer = self._offer(form.get("sku", ""))
        try:
            basket = self._basket(request).changed(offer.sku, quantity_from(form.get("quantity", "")))
        except AskAgain as problem:
            return self._page(request, "cart.html", 400, problem=problem, problem_sku=offer.sku)
        return _with_cart(request, _see("/cart"), basket)

    async def remove(self, request: Request) -> Response:
        form = await form_of(request)
        return _with_cart(request, _see("/cart"), self._basket(request).without(form.get("sku", "")))

    async def checkout(self, request: Request) -> Response:
        if not self._basket(request).lines:
            return _see("/cart")
        return self._checkout(request, {"token": self.new_id(), "region": "GB"})

    async def buy(self, request: Request) -> Response:
        form = await form_of(request)
        basket = self._basket(request)
        taken = self.till.taken(form.get("token", ""))
        if taken is None:
            if not basket.lines:
                return self._page(request, "cart.html", 400)
            try:
                buyer = buyer_from(form)
            except AskAgain as problem:
                return self._checkout(request, form, 400, problem=problem)
            session = request.scope["session_id"]
            now = self.clock.now()
            try:
                taken = await run_in_threadpool(
                    self.till.take,
                    buyer.token,
                    lambda: order_of(basket, self.shelf, buyer, session_id=session, now=now),
                )
            except OSError:
                # The same token stays in the form: if the line did reach the spool, trying again is no second sale.
                return self._checkout(request, form, 503, closed=True)
        response = _see(f"/thank-you/{taken['order_id']}")
        bought = {line["sku"]: line["quantity"] for line in taken["lines"]}
        return _with_cart(request, response, Basket()) if basket.lines == bought else response

    async def thank_you(self, request: Request) -> Response:
        order = self.till.order(request.path_params["order_id"])
        if order is None or order["session_id"] != request.scope["session_id"]:
            raise HTTPException(404, "We cannot show an order of that number here.")
        return self._page(request, "thank_you.html", order=order, country=COUNTRIES[order["region"]])

    async def refuse(self, request: Request, error: Exception) -> Response:
        """A page for an HTTPException and, with status 500, for what we did not foresee."""
        status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
        return self._page(request, "problem.html", status, status=status, detail=_said(status, detail))

    def _offer(self, sku: str) -> Offer:
        if sku not in self.shelf.offers:
            raise HTTPException(404, "We do not sell a product of that number.")
        return self.shelf.offers[sku]

    def _basket(self, request: Request) -> Basket:
        return basket_from_cookie(request.cookies.get(CART, ""), self.shelf.offers)

    def _product(self, request: Request, offer: Offer, problem: AskAgain | None = None) -> Response:
        beside = self.shelf.beside(offer, 4)
        return self._page(request, "product.html", 400 if problem else 200, offer=offer, beside=beside, problem=problem)

    def _checkout(self, request: Request, form: Mapping[str, str], status: int = 200, **context: Any) -> Response:
        token = form.get("token", "")
        filled = {**form, "token": token if is_token(token) else self.new_id()}
        return self._page(request, "checkout.html", status, form=filled, countries=COUNTRIES, **context)

    def _page(self, request: Request, template: str, status_code: int = 200, **context: Any) -> Response:
        basket = self._basket(request)
        html = self.templates.get_template(template).render(
            shelf=self.shelf, basket=basket, sums=sums_of(basket, self.shelf), path=request.url.path, **context
        )
        return HTMLResponse(html, status_code, headers=_HEADERS)


_HEADERS = {
    "cache-control": "no-store",  # the cart's count and the order token must not come back from a cache
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def _said(status: int, detail: str) -> str:
    """`detail` where one of us wrote it, else a sentence for the shopper rather than the bare phrase of HTTP."""
    if detail and detail != HTTPStatus(status).phrase:
        return detail
    if status == HTTPStatus.NOT_FOUND:
        return "There is no page at this address."
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return "This address cannot be used in that way."
    return "Something went wrong on our side. Your cart is kept; please try again in a moment."


def _see(path: str) -> Response:
    """Send the browser on to `path` by GET, so that reloading sends no form again."""
    return RedirectResponse(path, 303)


def _with_cart(request: Request, response: Response, basket: Basket) -> Response:
    secure = request.url.scheme == "https"
    if basket.lines:
        response.set_cookie(CART, basket.to_cookie(), path="/", httponly=True, samesite="lax", secure=secure)
    else:
        response.delete_cookie(CART, path="/", httponly=True, samesite="lax", secure=secure)
    return response
