"""`python -m loadtests bench`: measure, write the table, hold a measurement against it."""

import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from loadtests.bench import results, table
from loadtests.bench.quick import small
from loadtests.bench.registry import BENCHES, run
from loadtests.bench.regression import Finding, compare
from loadtests.bench.report import Figure, as_fields, as_json, print_table
from loadtests.bench.results import Outcome
from runtime.errors import ConfigError
from runtime.whole_file import write_whole

ALL, CHECK = "all", "check"


@click.command(epilog="; ".join(f"{name}: {about}" for name, about in BENCHES.items()))
@click.argument("name", type=click.Choice([*sorted(BENCHES), ALL, CHECK]))
@click.argument("of", type=click.Choice(sorted(BENCHES)), required=False)
@click.option("--json", "as_machine", is_flag=True, help="One line of JSON a benchmark instead of a table.")
@click.option("--write", "writes", is_flag=True, help="Put the outcome into docs/benchmarks.json and benchmarks.md.")
@click.option("--quick", is_flag=True, help="Small sizes, one run: shows that a bench works. Its figures mean nothing.")
def bench(name: str, of: str | None, as_machine: bool, writes: bool, quick: bool) -> None:
    """Measure NAME, or all: medians of several runs, each beside a baseline measured in turn with them.

    `check` measures what the committed table holds (or OF alone) and names what fell: exit code 1. What a bench
    compares with is installed on demand, in environments of its own; what cannot be is left out, and stderr says so. So
    is a bench that lacks something: exit code 2, once the others are done.
    """
    if of and name != CHECK:
        raise click.UsageError(f"`bench {name}` takes no second name; `bench check {of}` does")
    if quick and (writes or name == CHECK):
        raise click.UsageError("figures of --quick mean nothing: they are neither written nor checked")
    if writes and name == CHECK:
        raise click.UsageError("`check` holds a measurement against the table; `bench all --write` makes it anew")
    with _ended_in_order():
        if name != CHECK:
            _measure(list(BENCHES) if name == ALL else [name], as_machine=as_machine, writes=writes, quick=quick)
        elif _check(of, as_machine):
            sys.exit(1)


def _measure(names: Sequence[str], *, as_machine: bool, writes: bool, quick: bool) -> None:
    """One after another. Written after each: an interruption costs the bench that runs, no other."""
    left_out: list[str] = []
    if writes:
        results.read()  # hours before it is written: it may be damaged
    for name, figures in _measured(names, left_out, quick=quick):
        click.echo(as_json(name, figures)) if as_machine else print_table(name, figures)
        if writes:
            _write(_outcome(name, figures))
    if left_out:
        raise ConfigError(_not_measured(left_out))


def _measured(
    names: Sequence[str], left_out: list[str], *, quick: bool = False
) -> Iterator[tuple[str, Sequence[Figure]]]:
    """Each with its figures. One that lacks something keeps no other from it: `left_out` gets its name and why."""
    for name in names:
        try:
            with small(name) if quick else nullcontext():
                figures = run(name)
        except ConfigError as error:
            left_out.append(f"{name}: {error}")
            continue
        yield name, figures


def _not_measured(left_out: Sequence[str]) -> str:
    return f"not measured: {'; '.join(left_out)}"


def _outcome(name: str, figures: Sequence[Figure]) -> Outcome:
    return msgspec.convert(
        {
            **as_fields(name, figures),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": shlex.join(["python", "-m", "loadtests", "bench", name]),
        },
        Outcome,
    )


def _write(outcome: Outcome) -> None:
    together = results.read().having(outcome)
    results.write(together)
    write_page(together, table.TABLE)


def write_page(together: results.Results, page: Path, about: Mapping[str, str] = BENCHES) -> None:
    """The page for people, in one step."""
    write_whole(page, table.as_markdown(together, about).encode(), mode=0o644)


def measured_now(names: Sequence[str]) -> results.Results:
    """Of these benches, here and now; nothing is written. One that cannot be measured is not in it; stderr says why."""
    together, left_out = results.Results(), list[str]()
    with _ended_in_order():
        for name, figures in _measured(names, left_out):
            together = together.having(_outcome(name, figures))
    if left_out:
        click.echo(_not_measured(left_out), err=True)
    return together


def _check(of: str | None, as_machine: bool) -> bool:
    """Whether anything fell. Raises ConfigError where the table holds nothing to compare with, and at the end where
    nothing fell but a bench could not be measured."""
    committed = results.read().benches
    names = [of] if of else [name for name in BENCHES if name in committed]
    if not names or not committed.keys() >= set(names):
        raise ConfigError(f"docs/benchmarks.json holds no {of or 'bench'}: `bench {of or ALL} --write` measures it")
    is_bad, left_out = False, list[str]()
    for name, figures in _measured(names, left_out):
        findings = compare(committed[name], _outcome(name, figures))
        is_bad = is_bad or any(finding.is_bad for finding in findings)
        _show(name, findings, as_machine)
    if left_out and not is_bad:
        raise ConfigError(_not_measured(left_out))
    if left_out:
        click.echo(_not_measured(left_out), err=True)
    return is_bad


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM meanwhile ends the command as Ctrl-C does, with all that a bench has started."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(name: str, findings: Sequence[Finding], as_machine: bool) -> None:
    if as_machine:
        click.echo(msgspec.json.encode({"bench": name, "findings": [asdict(each) for each in findings]}).decode())
        return
    shown = Table(title=f"bench check {name}", title_justify="left")
    for column in ("figure", "verdict", "then and now"):
        shown.add_column(column)
    for each in findings:
        colour = "red" if each.is_bad else "green"
        shown.add_row(each.figure, f"[{colour}]{each.verdict}[/]", each.sentence)
    Console().print(shown)
