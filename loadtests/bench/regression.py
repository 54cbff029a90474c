"""Whether a figure is worse than the committed one by more than noise explains.

Two measures are at hand. The *ratio* to the baseline of the same run: what slows the machine down slows both. And, for
what does not depend on who else is on the machine (CPU time, memory, bytes), the value itself, where the machines are
alike. A figure fell if every measure at hand says so: a ratio alone also falls when the baseline became faster, a value
alone when the machine became slower. Where a rate or a wait has nothing measured beside it, less than two thirds of the
rate is worse, or more than one and a half times the wait.

A fall is a regression beyond the larger of the two spreads, and beyond AT_LEAST, which is how far two medians of a few
runs differ on a machine that others use; a measurement that scatters beyond AT_MOST cannot excuse itself by that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from loadtests.bench.results import Outcome, Recorded

AT_LEAST, AT_MOST = 0.15, 0.5
# What a unit holds that stands for CPU, memory or bytes; of a rate, one a CPU second.
_STEADY = ("CPU-s", "MiB", "B/", "us/record", "%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one figure."""

    figure: str
    verdict: Literal["fell", "missing", "changed", "held", "better", "new"]
    sentence: str

    @property
    def is_bad(self) -> bool:
        """Whether it fails the check."""
        return self.verdict in ("fell", "missing", "changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """One way to compare: how much worse it is, and how much of that is noise. 0.3: by 30 %; below 0: better."""

    what: str
    worse: float
    tolerance: float


def compare(committed: Outcome, measured: Outcome) -> list[Finding]:
    """Every figure of both, in the order of the table.

    One that was not measured this time is a fault as well, and so is one that cannot be compared any more: a check that
    nothing can fail would look like one that all has passed.
    """
    is_like = committed.machine.is_like(measured.machine)
    findings = [
        _compared(name, figure, measured.figures.get(name), is_like) for name, figure in committed.figures.items()
    ]
    new = (name for name in measured.figures if name not in committed.figures)
    return findings + [Finding(figure=name, verdict="new", sentence="not in the table yet") for name in new]


def _compared(name: str, then: Recorded, now: Recorded | None, is_like: bool) -> Finding:
    if now is None:
        why = "in the table, but not measured this time: is what it is compared with installed?"
        return Finding(figure=name, verdict="missing", sentence=why)
    measures = list(_measures(then, now, is_like))
    if not measures:
        return Finding(figure=name, verdict="changed", sentence=f"{_change(then, now)}: write the table anew")
    said = "; ".join(
        f"{each.what} {abs(each.worse):.0%} {'worse' if each.worse > 0 else 'better'}"
        f" (noise explains {each.tolerance:.0%})"
        for each in measures
    )
    values = f"{then.value:g} -> {now.value:g} {then.unit}: {said}"
    if all(each.worse > each.tolerance for each in measures):
        return Finding(figure=name, verdict="fell", sentence=values)
    is_better = all(each.worse < -each.tolerance for each in measures)
    return Finding(figure=name, verdict="better" if is_better else "held", sentence=values)


def _measures(then: Recorded, now: Recorded, is_like: bool) -> Iterator[_Measure]:
    if (then.unit, then.better) != (now.unit, now.better):
        return
    is_steady = any(part in then.unit for part in _STEADY)
    if then.baseline == now.baseline:
        is_measured = len({*now.baseline_runs}) > 1
        yield _Measure(
            what="ratio",
            worse=_worse(then.ratio, now.ratio, then.better),
            tolerance=_tolerance(then.ratio_spread, now.ratio_spread) if is_measured or is_steady else AT_MOST,
        )
    if is_like and is_steady:
        yield _Measure(
            what="value",
            worse=_worse(then.value, now.value, then.better),
            tolerance=_tolerance(then.spread, now.spread),
        )


def _worse(then: float, now: float, better: Literal["lower", "higher"]) -> float:
    """By which part it became worse; twice as slow is 1, however it is counted."""
    before, after = (then, now) if better == "lower" else (now, then)
    if before <= 0:
        return 0.0 if after <= 0 else float("inf")
    return after / before - 1 if after >= before else 1 - before / after


def _tolerance(then: float, now: float) -> float:
    return min(AT_MOST, max(AT_LEAST, then, now))


def _change(then: Recorded, now: Recorded) -> str:
    """Why there is no measure at hand."""
    if then.unit != now.unit:
        return f"it was in {then.unit}, now it is in {now.unit}"
    if then.better != now.better:
        return f"{then.better} was better, now {now.better} is"
    return f"it was beside {then.baseline}, now it is beside {now.baseline} (is the former installed?)"
