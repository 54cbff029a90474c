"""What an invocation says of itself: one line of CloudWatch's Embedded Metric Format on stdout."""

from collections import Counter
from typing import Literal, NamedTuple

from consumers.sources.lambda_.events import BadEvent
from consumers.sources.lambda_.turn import Taken
from runtime.clock import Clock
from runtime.emf import emf_line
from runtime.errors import ConfigError

NAMESPACE = "Storepulse/Function"
UNKNOWN_STREAM = "unknown"
_LONGEST = 1_000  # characters of a text beside the metrics


class Metric(NamedTuple):
    """One metric, by stream."""

    name: str
    unit: Literal["Count", "Milliseconds"]  # as CloudWatch names units
    about: str


METRICS = (
    Metric("Accepted", "Count", "Records stored as rows, such as orders and hits."),
    Metric("Refused", "Count", "Records stored as dead letters."),
    Metric("Duplicates", "Count", "Second lines with a known identity."),
    Metric("Unfinished", "Count", "Records that were not durable when the function answered: they come again."),
    Metric("ArrivalToStored", "Milliseconds", "From the stream to the store, of the slowest run of records."),
    Metric(
        "CriticalErrors",
        "Count",
        "Invocations that raised: `error` has the kind. The same records come again, and pass once somebody has acted.",
    ),
)


class Report:
    """Gathers what there is to say of one invocation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, float] = {metric.name: 0 for metric in METRICS}
        self._texts: dict[str, str] = {}
        self._stream = UNKNOWN_STREAM

    def about(self, stream: str) -> None:
        """The records are of a stream that we know."""
        self._stream = stream

    def took(self, taken: Taken, counts: Counter[str], slowest_s: float) -> None:
        """The event was dealt with. `counts` and `slowest_s`: of a `Tally`."""
        self._values |= {
            "Accepted": counts["accepted"],
            "Refused": counts["refused"],
            "Duplicates": counts["duplicates"],
            "Unfinished": taken.unfinished,
            "ArrivalToStored": round(slowest_s * 1000),
        }
        if taken.why:
            self._texts["why"] = taken.why

    def critical(self, error: Exception) -> None:
        """The invocation raises `error`. Texts of errors that are not ours may quote data: their kind alone is told."""
        self._values["CriticalErrors"] = 1
        self._texts["error"] = type(error).__name__
        if isinstance(error, ConfigError | BadEvent):
            self._texts["why"] = str(error)

    def line(self) -> str:
        """The whole of it as one JSON object, no newline."""
        return emf_line(
            NAMESPACE,
            self._clock.now(),
            dimensions={"Stream": self._stream},
            units={metric.name: metric.unit for metric in METRICS},
            values=self._values,
            texts={name: text[:_LONGEST] for name, text in self._texts.items()},
        )
