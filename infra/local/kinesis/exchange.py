"""A request and what becomes of it, whatever HTTP it came by: the answer, or the fault that was asked for."""

import logging
import traceback
import uuid
from typing import NamedTuple

import msgspec

from infra.local.kinesis.errors import KinesisError, internal
from infra.local.kinesis.faults import Rule, raised_by
from infra.local.kinesis.operations import TARGET, Api
from infra.local.kinesis.service import Answer, Slice
from infra.local.kinesis.subscription import Subscription

log = logging.getLogger(__name__)

JSON = b"application/x-amz-json-1.1"


class Request(NamedTuple):
    """One whole request; `target` is its X-Amz-Target."""

    method: bytes
    path: bytes
    target: str
    body: bytes | bytearray


class Outcome(NamedTuple):
    """What to answer; `delay_s` is how much later than at once."""

    status: int
    answer: Answer
    delay_s: float = 0.0

    def drop(self) -> None:
        """Nobody takes it."""
        if isinstance(self.answer, Subscription):
            self.answer.close()


class Outgoing:
    """Bytes, or an answer on its way; what of it is on disk is read as its client takes it."""

    __slots__ = ("_at", "_held", "_slice", "left")

    def __init__(self, answer: bytes | Slice) -> None:
        self._slice = answer if isinstance(answer, Slice) else None
        self._held = answer.head if isinstance(answer, Slice) else answer
        self._at = answer.start if isinstance(answer, Slice) else 0
        self.left = answer.length if isinstance(answer, Slice) else len(answer)  # bytes

    def take(self, most: int) -> bytes:
        """The next bytes, at most `most` and perhaps fewer. Raises EOFError if someone else cut the file."""
        if not self._held and self._slice:
            if self._at < self._slice.end:
                part = self._slice.log.read(self._at, min(most, self._slice.end - self._at))
                if not part:
                    raise EOFError("the log ends before the answer does")
                self._at += len(part)
                self.left -= len(part)
                return part
            self._held, self._slice = self._slice.tail, None
        part, self._held = self._held[:most], self._held[most:]
        self.left -= len(part)
        return part


def respond(api: Api, request: Request) -> Outcome | None:
    """Carry a request out. None: a fault has its connection reset in place of an answer."""
    operation = request.target.removeprefix(TARGET)
    fault = api.faults.met_by(operation) if request.method == b"POST" else None
    if fault and fault.fault == "reset":
        return None
    refused = raised_by(fault, operation) if fault else None
    outcome = refusal(refused) if refused else _carried_out(api, request)
    if isinstance(outcome.answer, Subscription) and fault:
        _disturb(outcome.answer, fault)
    if fault and fault.fault == "drop_answer":
        outcome.drop()
        return None
    return outcome._replace(delay_s=fault.delay_s) if fault and fault.fault == "delay" else outcome


def _disturb(subscription: Subscription, fault: Rule) -> None:
    if fault.fault == "mute":
        subscription.mute(fault.delay_s)
    elif fault.fault == "break":
        subscription.break_off(fault.delay_s)


def refusal(error: KinesisError) -> Outcome:
    """An error as its client meets it."""
    return Outcome(error.status, msgspec.json.encode({"__type": error.name, "message": error.message}))


def request_id() -> bytes:
    """What x-amzn-RequestId says of an answer."""
    return str(uuid.uuid4()).encode("ascii")


def _carried_out(api: Api, request: Request) -> Outcome:
    if request.method == b"GET":
        pages = {b"/health": b'{"status":"ok"}', b"/faults": api.faults.described}
        return Outcome(200, pages[request.path]) if request.path in pages else Outcome(404, b"{}")
    try:
        if request.method == b"PUT" and request.path == b"/faults":
            api.faults.replace(request.body)
            return Outcome(200, api.faults.described)
        if request.method == b"PUT" and request.path == b"/clock":
            api.advance(request.body)
            return Outcome(200, b"{}")
        return Outcome(200, api.answer(request.target, request.body))
    except KinesisError as error:
        return refusal(error)
    except Exception as error:  # a fault of ours: this request fails by name, the server lives
        log.error("%s failed:\n%s", request.target, traceback.format_exc())
        return refusal(internal(f"{type(error).__name__}: see the server's log"))
