"""A gateway in front of the local AWS that can make one service fail and leave the others alone.

    python -m loadtests.drills.faults --port 4570 --to http://127.0.0.1:4566

`PUT /_faults` with a JSON list of rules replaces all rules, `[]` ends them: `[{"service": "s3", "fault": "away"}]`. The
service is the one that a request is signed for. The answer, also to a `GET`, is how many requests for each service were
refused since the start: `{"s3": 12}`.
"""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import click
import msgspec
import urllib3
import uvicorn
from msgspec import Meta

CONTROL = "/_faults"
_SIGNED_FOR = re.compile(rb"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/")
_HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding"}
_AT_ONCE = 64


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One service's fault."""

    service: str  # s3, dynamodb, ...
    fault: Literal["away", "throttle"]
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0  # of its requests
    seed: int = 0


_ANSWERS = {
    "away": (503, b"<Error><Code>ServiceUnavailable</Code><Message>a fault on request</Message></Error>"),
    "throttle": (
        400,
        b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",'
        b'"message":"a fault on request"}',
    ),
}
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Gateway:
    """An ASGI application."""

    def __init__(self, to: str) -> None:
        self._to = to.rstrip("/")
        self._pool = urllib3.PoolManager(maxsize=_AT_ONCE, retries=False)
        self._rules: list[tuple[Rule, random.Random]] = []
        self._refused: Counter[str] = Counter()  # requests by service

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if scope["path"] == CONTROL:
            if body:
                self._rules = [(rule, random.Random(rule.seed)) for rule in msgspec.json.decode(body, type=list[Rule])]
            return await _answer(send, 200, [], msgspec.json.encode(self._refused))
        rule = self._met_by(scope["headers"])
        if rule is not None:
            self._refused[rule.service] += 1
            status, said = _ANSWERS[rule.fault]
            return await _answer(send, status, [(b"content-type", b"application/octet-stream")], said)
        await _answer(send, *await asyncio.to_thread(self._forward, scope, body))

    def _met_by(self, headers: list[tuple[bytes, bytes]]) -> Rule | None:
        signed = _SIGNED_FOR.search(dict(headers).get(b"authorization", b""))
        service = signed[1].decode() if signed else ""
        return next((rule for rule, rng in self._rules if rule.service == service and rng.random() < rule.share), None)

    def _forward(self, scope: Any, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        query = scope["query_string"].decode("latin-1")
        address = self._to + scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name not in _HOP_BY_HOP
        }
        try:
            answer = self._pool.request(
                scope["method"], address, headers=headers, body=body, redirect=False, decode_content=False
            )
        except urllib3.exceptions.HTTPError as error:
            return 502, [], str(error).encode()
        kept = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers.items()
            if name.lower().encode() not in _HOP_BY_HOP
        ]
        return answer.status, kept, answer.data


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    if not any(name == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@click.command(help=__doc__)
@click.option("--port", type=int, required=True, help="TCP port on 127.0.0.1.")
@click.option("--to", required=True, help="URL of the local AWS.")
def serve(port: int, to: str) -> None:
    # AWS's own connections last longer than clients keep them: none may be closed under a request.
    uvicorn.run(
        Gateway(to),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        lifespan="off",
        server_header=False,
        timeout_keep_alive=600,
    )


if __name__ == "__main__":
    serve()
