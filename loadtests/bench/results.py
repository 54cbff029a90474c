"""The committed table: what each bench found when it was last run in full, with machine, date and command."""

from pathlib import Path
from typing import Literal

import msgspec

from infra.local.home import PROJECT
from runtime.errors import ConfigError
from runtime.whole_file import write_whole

RESULTS = PROJECT / "docs" / "benchmarks.json"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A figure as `bench NAME --json` says it."""

    value: float  # the median of `runs`
    unit: str
    better: Literal["lower", "higher"]
    target: float
    baseline: str
    ratio: float  # of the value to the baseline's median
    spread: float  # of the runs, as a part of the median
    ratio_spread: float
    reached: bool
    runs: list[float]
    baseline_runs: list[float]
    note: str = ""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was measured."""

    cores: int | None
    processor: str
    architecture: str
    system: str
    python: str

    def sentence(self) -> str:
        """In a few words."""
        name = f"{self.processor}, " if self.processor else ""
        return f"{name}{self.cores} cores ({self.architecture}), {self.system}, Python {self.python}"

    def is_like(self, other: "Machine") -> bool:
        """Whether CPU seconds on both may be compared."""
        mine, others = (
            (each.cores, each.processor, each.architecture, each.python.split(".")[:2]) for each in (self, other)
        )
        return mine == others


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One bench."""

    bench: str
    machine: Machine
    figures: dict[str, Recorded]
    date: str = ""  # ISO 8601, of its end; the shop's zone has no part in it: UTC
    command: str = ""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome a bench."""

    benches: dict[str, Outcome] = {}

    def having(self, outcome: Outcome) -> "Results":
        """With `outcome` in place of the one that its bench had."""
        together = {**self.benches, outcome.bench: outcome}
        return Results(benches={name: together[name] for name in sorted(together)})


def read(file: Path = RESULTS) -> Results:
    """The committed ones; none where there is no file. Raises ConfigError for one that is none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Results)
    except FileNotFoundError:
        return Results()
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{file} is no table of benchmarks: {error}; `bench all --write` makes it anew") from None


def write(results: Results, file: Path = RESULTS) -> None:
    """Replace the file in one step."""
    write_whole(file, msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n", mode=0o644)
