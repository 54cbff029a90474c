"""The two data files beside this module: prices, and measured sizes."""

import datetime as dt
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from runtime.errors import ConfigError

_HERE = Path(__file__).parent


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What AWS asks for one unit in one region."""

    usd: float
    unit: str
    date: dt.date  # of the source
    source: str
    checked: bool  # found in public material; else `source` says where it comes from


class Size(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an event takes, or something else that was counted."""

    value: float
    unit: str
    bench: str
    document: str
    measured: bool


@cache
def regions() -> Mapping[str, Mapping[str, Price]]:
    """Prices by region and name."""
    return msgspec.toml.decode((_HERE / "prices.toml").read_bytes(), type=dict[str, dict[str, Price]])


def prices_of(region: str) -> Mapping[str, Price]:
    """Of one region, by name. Raises ConfigError for one that the file has no prices of."""
    known = regions()
    if region not in known:
        raise ConfigError(
            f"--region {region}: there are prices of {', '.join(sorted(known))} only; add it to prices.toml"
        )
    return known[region]


@cache
def sizes() -> Mapping[str, Size]:
    """By name."""
    return msgspec.toml.decode((_HERE / "sizes.toml").read_bytes(), type=dict[str, Size])
