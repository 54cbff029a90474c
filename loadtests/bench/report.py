"""What a benchmark says: figures with unit, target and a baseline measured in the same run."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
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

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Largest minus smallest run, as a part of the median."""
        return (max(self.values) - min(self.values)) / self.value

    @property
    def ratio(self) -> float:
        """The value over the baseline's median."""
        return self.value / statistics.median(self.baseline_values)

    @property
    def reached(self) -> bool:
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


def as_json(bench: str, figures: Sequence[Figure]) -> str:
    """The report for machines: one JSON object on one line."""
    shown = {figure.name: _fields(figure) for figure in figures}
    return json.dumps({"bench": bench, "machine": machine(), "figures": shown})


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
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _fields(figure: Figure) -> dict[str, Any]:
    return {
        "value": round(figure.value, 3),
        "unit": figure.unit,
        "better": figure.better,
        "target": figure.target,
        "baseline": figure.baseline,
        "ratio": round(figure.ratio, 4),
        "spread": round(figure.spread, 3),
        "runs": [round(value, 3) for value in figure.values],
    }
