"""How often a duty is due, by hour of the shop's day: a warehouse that costs money while awake may sleep at night."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass

from runtime.errors import ConfigError

_HOURS = 24
_LONGEST_S = 86_400
_SECONDS = re.compile(r"\d{1,5}(?:\.\d{1,3})?", re.ASCII)
_PART = re.compile(rf"(\d{{1,2}})-(\d{{1,2}}):({_SECONDS.pattern})", re.ASCII)
_FORM = "seconds such as 15, or hours of the day with seconds such as 00-06:900,06-24:15"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """Seconds between two turns, one value for each hour of the day from 0."""

    by_hour: tuple[float, ...]
    zone: dt.tzinfo

    @classmethod
    def always(cls, seconds: float) -> "Cadence":
        """The same at every hour."""
        return cls(by_hour=(seconds,) * _HOURS, zone=dt.UTC)

    def every_s(self, now: dt.datetime) -> float:
        """What holds at `now`, aware."""
        return self.by_hour[now.astimezone(self.zone).hour]


def parse_cadence(text: str, zone: dt.tzinfo, where: str) -> Cadence:
    """`text` as a setting has it. Raises ConfigError, which begins with `where`, unless every hour is covered once."""

    def refuse(why: str) -> ConfigError:
        return ConfigError(f"{where}: {why}; it takes {_FORM}")

    if _SECONDS.fullmatch(text.strip()):
        return Cadence(by_hour=(_seconds(text, refuse),) * _HOURS, zone=zone)
    by_hour: dict[int, float] = {}
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise refuse(f"{part.strip()!r} is not understood")
        first, end = int(found[1]), int(found[2])
        if not first < end <= _HOURS:
            raise refuse(f"{part.strip()!r} is no stretch of hours between 00 and 24")
        for hour in range(first, end):
            if hour in by_hour:
                raise refuse(f"hour {hour:02d} stands in it twice")
            by_hour[hour] = _seconds(found[3], refuse)
    if missing := [hour for hour in range(_HOURS) if hour not in by_hour]:
        raise refuse(f"hour {missing[0]:02d} is not covered")
    return Cadence(by_hour=tuple(by_hour[hour] for hour in range(_HOURS)), zone=zone)


def _seconds(text: str, refuse: Callable[[str], ConfigError]) -> float:
    seconds = float(text)
    if not 0 < seconds <= _LONGEST_S:
        raise refuse(f"{text.strip()} s is not between 0 and {_LONGEST_S} s")
    return seconds
