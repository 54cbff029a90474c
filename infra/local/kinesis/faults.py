"""Faults on request: what a client must survive, made to happen.

`PUT /faults` with a JSON list of rules replaces all rules, `[]` ends them; `GET /faults` answers those in force:

    [{"operation": "PutRecords", "fault": "drop_answer", "share": 0.1, "seed": 7}]

| fault | what happens |
|---|---|
| throttle | ProvisionedThroughputExceededException: of PutRecords for `share` of the *entries*, else for the request |
| internal | HTTP 500 InternalFailure, nothing stored |
| reset | the connection is reset, nothing stored |
| drop_answer | all is done, then the connection is reset without an answer |
| mute | the subscription says nothing more, and does not end, from `delay_s` after its start on |
| break | the subscription's connection is reset `delay_s` after its start |
| delay | all is done, the answer comes `delay_s` later: a slow service, or with a long one a stalled one |
"""

import random
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from infra.local.kinesis.errors import KinesisError, serialization


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One fault of one operation, `*` for all."""

    operation: str
    fault: Literal["throttle", "internal", "reset", "drop_answer", "delay", "mute", "break"]
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0  # of the requests (throttled PutRecords: of their entries)
    times: Annotated[int, Meta(ge=1)] | None = None  # requests that meet it, then it is over; None: no end
    delay_s: Annotated[float, Meta(ge=0, le=600)] = 0.0
    seed: int = 0


_decoder = msgspec.json.Decoder(list[Rule])


class _Running:
    __slots__ = ("left", "rng", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.rng = random.Random(rule.seed)
        self.left = rule.times

    def strikes(self, operation: str) -> bool:
        rule = self.rule
        if rule.operation not in ("*", operation) or self.left == 0:
            return False
        by_entry = rule.fault == "throttle" and operation == "PutRecords"
        if not by_entry and self.rng.random() >= rule.share:
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """The rules in force; none at first."""

    def __init__(self) -> None:
        self._running: list[_Running] = []
        self._entries: _Running | None = None  # decides on the entries of the PutRecords that is being answered

    def replace(self, body: bytes | bytearray) -> None:
        """Put the rules of a `PUT /faults` in force. Raises KinesisError for a body that is none."""
        try:
            self._running = [_Running(rule) for rule in _decoder.decode(body)]
        except msgspec.MsgspecError as error:
            raise serialization(f"not a list of faults: {error}") from error

    @property
    def described(self) -> bytes:
        """The rules as JSON."""
        return msgspec.json.encode([running.rule for running in self._running])

    def met_by(self, operation: str) -> Rule | None:
        """The first fault that this request meets."""
        self._entries = None
        for running in self._running:
            if running.strikes(operation):
                if running.rule.fault == "throttle" and operation == "PutRecords":
                    self._entries = running
                return running.rule
        return None

    def refuses_entry(self) -> bool:
        """Whether the next entry of the request that is being answered is throttled."""
        return self._entries is not None and self._entries.rng.random() < self._entries.rule.share


def raised_by(rule: Rule, operation: str) -> KinesisError | None:
    """The error that a fault answers with before anything is done."""
    if rule.fault == "internal":
        return KinesisError("InternalFailure", "a fault on request", status=500)
    if rule.fault == "throttle" and operation != "PutRecords":
        return KinesisError("ProvisionedThroughputExceededException", "a fault on request")
    return None
