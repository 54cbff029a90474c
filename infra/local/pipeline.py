"""The pipeline's own processes, as parts of a stack: what a team runs beside its shop and on its cluster."""

import sys
from collections.abc import Mapping

from infra.local.home import Home
from infra.local.parts import HttpReady, Part
from infra.local.ports import HOST

AGENT, LIVE, BOARD, STOREFRONT, SHOPPERS = "agent", "live", "board", "storefront", "shoppers"
PORTS = (STOREFRONT, BOARD)  # the parts that people open


def agent(home: Home) -> Part:
    return _part(home, AGENT, "producers", "agent")


def live(home: Home) -> Part:
    # An open batch is bounded; 30 s covers a store that answers slowly while live ends in good order.
    return _part(home, LIVE, "consumers", "live", grace_s=30.0)


def board(home: Home, *, port: int) -> Part:
    return _served(home, BOARD, "dashboards", port)


def storefront(home: Home, *, port: int) -> Part:
    return _served(home, STOREFRONT, "producers", port)


def shoppers(home: Home, shop_url: str, count: int) -> Part:
    """`count` people, twenty more each second until all have come."""
    command = (sys.executable, "-m", "locust", "-f", "loadtests/shopper.py", "--headless", "--only-summary")
    return Part(name=SHOPPERS, command=(*command, "-H", shop_url, "-u", str(count), "-r", "20"), url=shop_url)


def _served(home: Home, name: str, package: str, port: int) -> Part:
    url = f"http://{HOST}:{port}"
    environ = {f"STOREPULSE_{name.upper()}_PORT": str(port)}
    return _part(home, name, package, name, environ=environ, ready=HttpReady(url=f"{url}/health"), url=url)


def _part(
    home: Home,
    name: str,
    package: str,
    verb: str,
    *,
    environ: Mapping[str, str] | None = None,
    ready: HttpReady | None = None,
    url: str = "",
    grace_s: float = 15.0,
) -> Part:
    command = (sys.executable, "-m", package, verb, "--settings", str(home.settings_file))
    return Part(name=name, command=command, environ=environ or {}, ready=ready, url=url, grace_s=grace_s)
