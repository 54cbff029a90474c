"""A proof for people: one file that holds all of it, and a table for the terminal."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader
from rich.console import Console
from rich.table import Table

from loadtests.proof.outcome import Proof, funnel
from loadtests.proof.pictures import pictures
from loadtests.proof.samples import Sample
from runtime.whole_file import write_whole

PAGE, DATA = "report.html", "proof.json"


def write_report(folder: Path, proof: Proof, samples: Sequence[Sample]) -> Path:
    """The page and the JSON beside it. Returns where the page is. Raises ConfigError where nothing draws."""
    write_whole(folder / DATA, as_json(proof).encode())
    shown = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
    page = shown.get_template(PAGE).render(
        proof=proof,
        pictures=pictures(proof, samples),
        funnel=funnel(proof.requests),
        reasons=sorted({reason for store in proof.stores for reason in store.reasons}),
        time=lambda us: f"{dt.datetime.fromtimestamp(us / 1e6, dt.UTC):%Y-%m-%d %H:%M:%S}",
        seconds=lambda value: "unknown" if value is None else f"{value:.1f} s",
    )
    write_whole(folder / PAGE, page.encode())
    return folder / PAGE


def as_json(proof: Proof) -> str:
    """One JSON object."""
    return msgspec.json.format(msgspec.json.encode(proof), indent=1).decode()


def print_proof(proof: Proof, console: Console) -> None:
    """Tables for people."""
    stores = Table("store", "emitted", "stored", "dead", "missing", "duplicated", "misjudged", "twice, found")
    for each in proof.stores:
        found = f"{each.twice - each.undetected:,} of {each.twice:,}"
        counts = (each.emitted, each.stored, each.dead, each.missing, each.duplicated, each.misjudged)
        stores.add_row(each.store, *(f"{count:,}" for count in counts), found)
    fresh = Table("fresh within, s", "p50", "p95", "p99", "max", "caught up after")
    for store, spread in proof.freshness.stores.items():
        cells = (f"{value:.2f}" for value in (spread.p50, spread.p95, spread.p99, spread.max))
        fresh.add_row(store, *cells, f"{proof.freshness.catch_up_s.get(store, 0):.1f}")
    for table in (stores, fresh):
        for column in table.columns[1:]:
            column.justify = "right"
        console.print(table)
    rate = proof.rate
    console.print(
        f"{rate.written:,} of {rate.intended:,} lines written, {rate.punctual:.2%} within a second of due;"
        f" the account: {proof.account or 'not taken'}",
        highlight=False,
    )
    for each in proof.stores:
        for fault in each.faults[:5]:
            found = f", found {fault.found}" if fault.found else ""
            planted = f" (planted: {fault.planted})" if fault.planted else ""
            console.print(f"  {each.store}: {fault.key} {fault.verdict}{planted}{found}", highlight=False)
    for line in proof.broken:
        console.print(f"BROKEN: {line}", style="red", highlight=False, markup=False)
    if not proof.broken:
        console.print("every threshold is kept", highlight=False)
