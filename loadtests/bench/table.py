"""docs/benchmarks.md: the committed results as one table a bench."""

from collections.abc import Iterator, Mapping

from infra.local.home import PROJECT
from loadtests.bench.results import Outcome, Recorded, Results

TABLE = PROJECT / "docs" / "benchmarks.md"

_INTRODUCTION = """\
# Benchmarks

Written by `python -m loadtests bench all --write` from `benchmarks.json` beside it: change neither by hand. A figure is
a median of several runs that took turns with its baseline on the same machine. The *spread* is the largest run less
the smallest, as a part of the median. The *ratio* is the figure over its baseline; its own spread is that of the
ratios of the single runs, in which what slowed both down cancels out. CPU counts user and system time.

`python -m loadtests bench NAME` measures one of them again, `--quick` only shows that it runs. `python -m loadtests
bench check [NAME]` measures and holds the outcome against this table: it compares ratios, and CPU and memory where
the machine is alike, allows for the spreads, and exits with 1 where a figure fell.
"""


def as_markdown(results: Results, about: Mapping[str, str]) -> str:
    """The page. `about` says what each bench measures; one without an outcome is said to lack it."""
    return "\n".join([_INTRODUCTION, *(line for name in sorted(about) for line in _section(name, about, results))])


def _section(name: str, about: Mapping[str, str], results: Results) -> Iterator[str]:
    yield f"## {name}\n\n{about[name][:1].upper()}{about[name][1:]}.\n"
    outcome = results.benches.get(name)
    if outcome is None:
        yield "Not measured yet.\n"
        return
    yield "| figure | median | target | met | spread | baseline | its median | ratio |"
    yield "|---|--:|--:|---|--:|---|--:|--:|"
    yield from (_row(figure, recorded) for figure, recorded in outcome.figures.items())
    yield ""
    yield from (f"{note}.\n" for note in dict.fromkeys(each.note for each in outcome.figures.values()) if note)
    yield f"{_origin(outcome)}\n"


def _row(name: str, figure: Recorded) -> str:
    beside = figure.value / figure.ratio if figure.ratio else 0.0
    cells = (
        name,
        f"{number(figure.value)} {figure.unit}",
        f"{'<=' if figure.better == 'lower' else '>='} {number(figure.target)}",
        "yes" if figure.reached else "**no**",
        f"{figure.spread:.0%}",
        figure.baseline,
        number(beside),
        f"{figure.ratio:.3f} ± {figure.ratio_spread / 2:.0%}",
    )
    return f"| {' | '.join(cells)} |"


def _origin(outcome: Outcome) -> str:
    return f"`{outcome.command}`, {outcome.date[:16].replace('T', ' ')} UTC; {outcome.machine.sentence()}"


def number(value: float) -> str:
    """Three digits that count, thousands parted."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"  # 999.5 in three digits is 1e+03
