"""What a rate costs, stage by stage. Pure: prices, sizes, a profile and the levers in, lines out.

A line has a *marginal* price, what one million more events a month cost where capacity grows with them, and a *fixed*
one, all the rest: what is paid at any rate, and what is not used of the last node, task or shard. By definition
`fixed + marginal x millions = total`.

What is stored is paid as long as it is kept: a month's line holds what lies there once that time has passed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from infra.aws.cost import streams, surroundings, workers
from infra.aws.cost.item import Item, Terms
from infra.aws.cost.sizing import Choice, Sizing
from infra.aws.cost.tables import Price, Size
from infra.aws.cost.traffic import SECONDS, Traffic, millions

_STAGES: Sequence[Callable[[Terms], Iterable[Item]]] = (
    workers.agent,
    streams.stream,
    workers.live,
    workers.opensearch,
    workers.cold,
    workers.lake,
    streams.leases,
    workers.keeper,
    workers.warehouse,
    surroundings.catalogue,
    streams.backup,
    surroundings.network,
    surroundings.board,
    surroundings.watching,
    surroundings.guarding,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that AWS bills. All in US dollars."""

    stage: str
    item: str
    total: float  # a month
    marginal: float  # a million events
    millions: float  # events a month, of the estimate
    keeps: bool  # paid for what lies there as long as it is kept

    @property
    def fixed(self) -> float:
        """A month."""
        return self.total - self.marginal * self.millions


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Of one rate."""

    rate: float  # events a second, the month's mean
    lines: Sequence[Line]

    @property
    def millions(self) -> float:
        """Events a month."""
        return millions(self.rate)

    @property
    def total(self) -> float:
        """A month."""
        return sum(line.total for line in self.lines)

    @property
    def marginal(self) -> float:
        """A million events more."""
        return sum(line.marginal for line in self.lines)

    @property
    def kept(self) -> float:
        """Of `marginal`: to keep them, wherever they lie, until they are too old."""
        return sum(line.marginal for line in self.lines if line.keeps)

    @property
    def fixed(self) -> float:
        """A month."""
        return sum(line.fixed for line in self.lines)

    @property
    def per_million(self) -> float:
        """All of it, by the events of the month."""
        return self.total / self.millions


def estimate(
    rate: float, *, prices: Mapping[str, Price], sizes: Mapping[str, Size], sizing: Sizing, choice: Choice
) -> Estimate:
    """What `rate` events a second, more than none, cost."""
    one_more = rate + 1e6 / SECONDS

    def terms(of: float, *, whole: bool) -> Terms:
        traffic = Traffic(rate=of, sizing=sizing, choice=choice, sizes=sizes)
        return Terms(traffic=traffic, prices=prices, sizes=sizes, sizing=sizing, choice=choice, whole=whole)

    def all_items(of: Terms) -> Iterator[Item]:
        for stage in _STAGES:
            yield from stage(of)

    together = zip(
        all_items(terms(rate, whole=True)),
        all_items(terms(rate, whole=False)),
        all_items(terms(one_more, whole=False)),
        strict=True,
    )
    lines = [
        Line(
            stage=it.stage,
            item=it.name,
            total=it.usd,
            marginal=more.usd - less.usd,
            millions=millions(rate),
            keeps=it.keeps,
        )
        for it, less, more in together
    ]
    return Estimate(rate=rate, lines=lines)


def on_lambda(
    rate: float, *, prices: Mapping[str, Price], sizes: Mapping[str, Size], sizing: Sizing, choice: Choice
) -> float:
    """Dollars a month of live as a function (docs/lambda.md), in place of its tasks; no part of an estimate."""
    traffic = Traffic(rate=rate, sizing=sizing, choice=choice, sizes=sizes)
    return workers.function(
        Terms(traffic=traffic, prices=prices, sizes=sizes, sizing=sizing, choice=choice, whole=True)
    )
