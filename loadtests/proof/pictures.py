"""The pictures of a proof: ECharts' own server-side drawing, by the Node of the lock file. SVG, to be put inline."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.local.home import PROJECT
from loadtests.proof.freshness import STORES
from loadtests.proof.outcome import Proof
from loadtests.proof.samples import Sample
from loadtests.shapes import Shape
from runtime.errors import ConfigError

_ECHARTS = PROJECT / "dashboards" / "board" / "node_modules" / "echarts" / "dist" / "echarts.js"
_DRAW = Path(__file__).with_name("render.cjs")
_WIDTH, _HEIGHT = 980, 300
_POINTS = 240
_LEAST_S = 0.01  # on a logarithmic axis

Option = dict[str, Any]


def pictures(proof: Proof, samples: Sequence[Sample]) -> list[tuple[str, str]]:
    """Title and SVG of each. Raises ConfigError where the drawing program is not installed."""
    options = {
        "Orders a second: intended, and written by minute": _rates(proof),
        "Freshness by minute, p99 (seconds from the event's time until its reader's query shows it)": _fresh(proof),
        "CPU, % of a core": _used(proof, samples, "cpu"),
        "Memory, MiB": _used(proof, samples, "memory"),
        "Lag of each application, seconds": _lag(proof, samples),
    }
    return list(zip(options, draw(list(options.values())), strict=True))


def draw(options: Sequence[Option]) -> list[str]:
    """Each as SVG."""
    node = Path(sys.executable).with_name("node")
    program = str(node) if node.exists() else shutil.which("node")
    if program is None or not _ECHARTS.exists():
        raise ConfigError("no Node or no ECharts to draw pictures with; `make setup` installs both")
    charts = [{"width": _WIDTH, "height": _HEIGHT, "option": option} for option in options]
    done = subprocess.run(
        [program, str(_DRAW), str(_ECHARTS)], input=json.dumps(charts).encode(), capture_output=True, check=False
    )
    if done.returncode:
        raise ConfigError(f"ECharts could not draw: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return list(json.loads(done.stdout))


def _rates(proof: Proof) -> Option:
    shape: Shape = proof.plan.orders
    step_s = shape.seconds / _POINTS
    intended = [[n * step_s / 60, round(shape.rate(n * step_s), 2)] for n in range(_POINTS + 1)]
    first_s = 60 - proof.began_us / 1e6 % 60  # of the first calendar minute that lies in the run
    written = []
    for minute, rate in enumerate(proof.minutes):
        start_s = max(0.0, first_s + 60 * (minute - 1))
        end_s = min(first_s + 60 * minute, shape.seconds)
        if end_s > start_s:
            written += [[at_s / 60, round(rate.written / (end_s - start_s), 2)] for at_s in (start_s, end_s)]
    bands = [[{"name": phase.name, "xAxis": phase.start_s / 60}, {"xAxis": phase.end_s / 60}] for phase in shape.phases]
    marked = {"silent": True, "itemStyle": {"color": "rgba(0,0,0,0.04)"}, "data": bands, "label": {"color": "#666"}}
    return _lines({"intended": intended, "written": written}, unit="orders/s", first={"markArea": marked})


def _fresh(proof: Proof) -> Option:
    lines = {
        store: [
            [moment.minute + 0.5, max(_LEAST_S, round(moment.spread.p99, 3))]
            for moment in proof.freshness.minutes
            if moment.store == store
        ]
        for store in STORES
    }
    return {**_lines(lines, unit="s"), "yAxis": {"type": "log", "name": "s"}}


def _used(proof: Proof, samples: Sequence[Sample], what: str) -> Option:
    names = sorted({name for sample in samples for name in sample.processes})
    lines: dict[str, list[list[float]]] = {name: [] for name in names}
    before: dict[str, tuple[int, float]] = {}
    for sample in samples:
        for name, used in sample.processes.items():
            at = _minute(proof, sample)
            if what == "memory":
                lines[name].append([at, used.memory_mib])
                continue
            if name in before and used.cpu_s >= before[name][1]:
                seconds = (sample.at_us - before[name][0]) / 1e6
                lines[name].append([at, round(100 * (used.cpu_s - before[name][1]) / seconds, 1)])
            before[name] = (sample.at_us, used.cpu_s)
    return _lines(lines, unit="%" if what == "cpu" else "MiB")


def _lag(proof: Proof, samples: Sequence[Sample]) -> Option:
    names = sorted({name for sample in samples for name in sample.lag})
    lines = {
        name: [
            [_minute(proof, sample), lag]
            for sample in samples
            if name in sample.lag and (lag := sample.lag[name].lag_s) is not None
        ]
        for name in names
    }
    return _lines(lines, unit="s")


def _minute(proof: Proof, sample: Sample) -> float:
    return round((sample.at_us - proof.began_us) / 60e6, 3)


def _lines(lines: dict[str, list[list[float]]], *, unit: str, first: Option | None = None) -> Option:
    series: list[Option] = [
        {"name": name, "type": "line", "showSymbol": len(points) < 3, "data": points, "lineStyle": {"width": 1.5}}
        for name, points in lines.items()
    ]
    if first and series:
        series[0].update(first)
    return {
        "legend": {"type": "plain", "top": 0},
        "grid": {"left": 60, "right": 20, "top": 50, "bottom": 40},
        "xAxis": {"type": "value", "name": "min", "min": 0},
        "yAxis": {"type": "value", "name": unit},
        "series": series,
    }
