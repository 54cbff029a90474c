"""What a benchmark says: figures with unit, target and a baseline measured in the same run."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing measured, at least three times in turn with its baseline."""

    name: str
    unit: str
    better: Literal["lower", "higher"]
    target: float
    values: Sequence[float]  # one a run
    baseline: str  # what it is compared with
    baseline_values: Sequence[float]  # one a run, same unit
    note: str = ""  # what is known of others without having been measured in this run

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Largest minus smallest run, as a part of the median."""
        return (max(self.values) - min(self.values)) / self.value if self.value else 0.0

    @property
    def ratio(self) -> float:
        """The value over the baseline's median."""
        beside = statistics.median(self.baseline_values)
        return self.value / beside if beside else 0.0

    @property
    def ratio_spread(self) -> float:
        """The same of the ratios of each run to the baseline beside it; of all runs to its median where they differ
        in number. What slows both down cancels out in it."""
        beside = self.baseline_values
        if len(beside) != len(self.values):
            beside = [statistics.median(beside)] * len(self.values)
        ratios = [value / other for value, other in zip(self.values, beside, strict=True) if other]
        return (max(ratios) - min(ratios)) / self.ratio if self.ratio else 0.0

    @property
    def reached(self) -> bool:
        """Whether the median is as good as the target."""
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


def as_json(bench: str, figures: Sequence[Figure]) -> str:
    """The report for machines: one JSON object on one line."""
    return json.dumps(as_fields(bench, figures))


def as_fields(bench: str, figures: Sequence[Figure]) -> dict[str, Any]:
    """The same, before it is text."""
    return {"bench": bench, "machine": machine(), "figures": {figure.name: _fields(figure) for figure in figures}}


def print_table(bench: str, figures: Sequence[Figure]) -> None:
    """The report for people, on stdout."""
    table = Table(title=f"bench {bench}", title_justify="left")
    for column in ("figure", "median", "target", "spread", "ratio", "baseline"):
        table.add_column(column, justify="left" if column in ("figure", "baseline") else "right")
    for figure in figures:
        colour = "green" if figure.reached else "red"
        table.add_row(
            figure.name,
            f"[{colour}]{figure.value:.2f}[/] {figure.unit}",
            f"{'<=' if figure.better == 'lower' else '>='} {figure.target:g}",
            f"{figure.spread:.0%}",
            f"{figure.ratio:.3f}",
            f"{figure.baseline}: {statistics.median(figure.baseline_values):.2f} {figure.unit}",
        )
    Console().print(table)


def machine() -> dict[str, Any]:
    """Where it was measured."""
    return {
        "cores": os.cpu_count(),
        "processor": processor(),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def processor() -> str:
    """Its name, as Linux knows it; empty elsewhere."""
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    except OSError:
        return ""
    return names[0].partition(":")[2].strip() if names else ""


def _fields(figure: Figure) -> dict[str, Any]:
    return {
        "value": round(figure.value, 3),
        "unit": figure.unit,
        "better": figure.better,
        "target": figure.target,
        "baseline": figure.baseline,
        "ratio": round(figure.ratio, 4),
        "spread": round(figure.spread, 3),
        "ratio_spread": round(figure.ratio_spread, 3),
        "reached": figure.reached,
        "runs": [round(value, 3) for value in figure.values],
        "baseline_runs": [round(value, 3) for value in figure.baseline_values],
        "note": figure.note,
    }
