"""The thresholds of the rules: settings, and what they come to."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from consumers.stages.customers import Welcome
from consumers.stages.prices import Lenience
from contract.money import LARGEST
from runtime.settings import setting

EVERY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`[rules]`: how strict validation is. Live and cold must have the same, or their verdicts differ."""

    price_tolerance_percent: Annotated[float, Meta(ge=0, le=100)] = setting(
        0.0, "by which a price may miss the catalogue's: none, where both are made of one list", unit="%"
    )
    price_grace_s: Annotated[float, Meta(ge=0, le=1e8)] = setting(
        3600.0, "for how long the old price is right after a change: as long as a cart stays open", unit="s"
    )
    return_days: Annotated[float, Meta(ge=0, le=36_500)] = setting(
        365.0,
        "what comes back may have any price that was right so long ago: a year, the longest of guarantees",
        unit="d",
    )
    free_lines: bool = setting(True, "a line at price zero beside a paid one is a gift, whatever it costs otherwise")
    most_pieces: Annotated[int, Meta(ge=1, le=LARGEST)] = setting(
        20_000, "of one line: above a wholesaler's largest, below a slip of the keyboard such as 80,995", unit="pieces"
    )
    clock_skew_s: Annotated[float, Meta(ge=0, le=1e6)] = setting(
        300.0, "by which an order's time may be ahead of its arrival: a host whose clock drifts is noticed by then",
        unit="s",
    )  # fmt: skip
    late_s: Annotated[float, Meta(gt=0, le=1e8)] = setting(
        3600.0, "after which an order that arrives is flagged as late; it is stored all the same", unit="s"
    )
    guest_channels: str = setting(EVERY, "channels where a guest may buy, with commas between them; `*`: every one")
    regions: str = setting("", "regions that the shop sells to (ISO 3166), with commas between them; empty: every one")
    own_region: bool = setting(
        True, "an order goes to the region that the customer list has for its customer; one without a region: to any"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The settings, worked out once."""

    lenience: Lenience
    welcome: Welcome
    most_pieces: int
    skew: timedelta
    lateness: timedelta


def thresholds_of(rules: Rules) -> Thresholds:
    """What a judge needs of them."""
    return Thresholds(
        lenience=Lenience(
            tolerance_percent=rules.price_tolerance_percent,
            grace_us=round(rules.price_grace_s * 1e6),
            return_us=round(rules.return_days * 86_400e6),
            free_lines=rules.free_lines,
        ),
        welcome=Welcome(
            guest_channels=None if rules.guest_channels.strip() == EVERY else _listed(rules.guest_channels),
            regions=_listed(rules.regions),
            own_region=rules.own_region,
        ),
        most_pieces=rules.most_pieces,
        skew=timedelta(seconds=rules.clock_skew_s),
        lateness=timedelta(seconds=rules.late_s),
    )


def _listed(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())
