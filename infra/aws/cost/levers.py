"""What an operator can do about the price of a million, and what each of it saves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from consumers.keeper.cadence import Cadence
from infra.aws.cost.model import estimate
from infra.aws.cost.sizing import Choice, Sizing
from infra.aws.cost.tables import Price, Size

TARGET = 0.15  # dollars a million more events, at TARGET_RATE
TARGET_RATE = 1_000.0  # events a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """One of them, beside an estimate."""

    name: str
    price: str  # what is given up for it
    marginal: float  # dollars a million more, less than without it (negative: dearer)
    total: float  # dollars a month, likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    name: str
    price: str
    choice: Choice
    sizing: Sizing


def levers(
    rate: float, *, prices: Mapping[str, Price], sizes: Mapping[str, Size], sizing: Sizing, choice: Choice
) -> Sequence[Lever]:
    """Each by itself; those that are pulled already are left out."""
    now = estimate(rate, prices=prices, sizes=sizes, sizing=sizing, choice=choice)
    found = []
    for pull in _pulls(sizing, choice):
        if (pull.sizing, pull.choice) == (sizing, choice):
            continue
        then = estimate(rate, prices=prices, sizes=sizes, sizing=pull.sizing, choice=pull.choice)
        saved, month = now.marginal - then.marginal, now.total - then.total
        found.append(Lever(name=pull.name, price=pull.price, marginal=saved, total=month))
    return found


def thrifty(sizing: Sizing, choice: Choice) -> tuple[Sizing, Choice]:
    """Every lever that costs no sale and no figure of the board."""
    for pull in _pulls(sizing, choice):
        sizing = replace(
            sizing,
            hot_days=min(sizing.hot_days, pull.sizing.hot_days),
            warehouse_months=min(sizing.warehouse_months, pull.sizing.warehouse_months),
        )
    return sizing, replace(choice, mode="provisioned", aggregated=True, backup=False)


def _at_least(cadence: Cadence, seconds: float) -> Cadence:
    return replace(cadence, by_hour=tuple(max(seconds, every_s) for every_s in cadence.by_hour))


def _pulls(sizing: Sizing, choice: Choice) -> Sequence[_Pull]:
    return (
        _Pull(
            name="--mode provisioned",
            price="nothing grows by itself: add shards, or go back to on-demand, before a sale day",
            choice=replace(choice, mode="provisioned") if choice.transport == "kinesis" else choice,
            sizing=sizing,
        ),
        _Pull(
            name="aggregated, without --plain",
            price="readers of other makes have to open aggregates",
            choice=replace(choice, aggregated=True) if choice.transport == "kinesis" else choice,
            sizing=sizing,
        ),
        _Pull(
            name="--no-backup",
            price="no raw copy but cold's own",
            choice=replace(choice, backup=False),
            sizing=sizing,
        ),
        _Pull(
            name="--hot-days 3",
            price="older documents are found in warehouse and lake alone",
            choice=choice,
            sizing=replace(sizing, hot_days=min(3.0, sizing.hot_days)),
        ),
        _Pull(
            name="--warehouse-months 6",
            price="older orders are found in the lake alone, by Athena",
            choice=choice,
            sizing=replace(sizing, warehouse_months=min(6.0, sizing.warehouse_months)),
        ),
        _Pull(
            name="--warehouse-cadence 300",
            price="a sale is in the warehouse within six minutes, not within one",
            choice=replace(choice, cadence=_at_least(choice.cadence, 300.0)),
            sizing=sizing,
        ),
    )
