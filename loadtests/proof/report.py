"""A proof for people: one file that holds all of it, and a table for the terminal."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader
from rich.console import Console
from rich.table import Table

from loadtests.proof.freshness import Freshness, Spread
from loadtests.proof.outcome import Proof, funnel, unanswered
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
        unanswered=unanswered(proof),
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
    names = ("store", "emitted", "stored", "dead", "missing", "duplicated", "misjudged", "altered", "twice, found")
    stores = Table(*names)
    for each in proof.stores:
        found = f"{each.twice - each.undetected:,} of {each.twice:,}"
        counts = (each.emitted, each.stored, each.dead, each.missing, each.duplicated, each.misjudged, each.altered)
        stores.add_row(each.store, *(f"{count:,}" for count in counts), found)
    for table in (stores, *_fresh(proof.freshness)):
        for column in table.columns[1:]:
            column.justify = "right"
        console.print(table)
    rate = proof.rate
    console.print(
        f"{rate.written:,} of {rate.intended:,} lines written, {rate.punctual:.2%} within a second of due;"
        f" the account: {proof.account or 'not taken'}",
        highlight=False,
    )
    if proof.visits:
        shop = proof.visits
        console.print(f"{shop.begun:,} of {shop.due:,} visits begun, {shop.failed:,} failed", highlight=False)
    if proof.stream_refusals is not None:
        codes = ", ".join(f"{code} {count:,}" for code, count in proof.stream_refusals.items())
        console.print(f"entries that the stream refused its senders, then taken: {codes or 'none'}", highlight=False)
    for each in proof.stores:
        for fault in each.faults[:5]:
            found = f", found {fault.found}" if fault.found else ""
            planted = f" (planted: {fault.planted})" if fault.planted else ""
            console.print(f"  {each.store}: {fault.key} {fault.verdict}{planted}{found}", highlight=False)
    for line in proof.broken:
        console.print(f"BROKEN: {line}", style="red", highlight=False, markup=False)
    if not proof.broken:
        console.print("every threshold is kept", highlight=False)


def _fresh(fresh: Freshness) -> Iterator[Table]:
    """What is judged, a row a store; then each phase by itself, and the way back from each peak."""
    judged = Table(
        f"judged: {', '.join(fresh.judged_phases) or 'the whole run'}",
        *("p50, s", "p95", "p99", "max", "caught up after", "looked after, s", "at most"),
    )
    for store, spread in fresh.judged.items():
        gap = fresh.gaps.get(store)
        looked = ("", "") if gap is None else (f"{gap.p50:.2f}", f"{gap.max:.2f}")
        judged.add_row(store, *_cells(spread), f"{fresh.catch_up_s.get(store, 0):.1f}", *looked)
    yield judged
    if fresh.phases:
        phases = Table("by phase", "store", "probes", "p50, s", "p95", "p99", "max")
        for each in fresh.phases:
            phases.add_row(each.phase, each.store, f"{each.spread.probes:,}", *_cells(each.spread))
        yield phases
    if fresh.recoveries:
        back = Table("back to normal", "store", "s since it began", "s since its peak ended")
        for way in fresh.recoveries:
            cells = ("never" if s is None else f"{s:.0f}" for s in (way.since_begin_s, way.since_peak_s))
            back.add_row(way.phase, way.store, *cells)
        yield back


def _cells(spread: Spread) -> Iterator[str]:
    return (f"{value:.2f}" for value in (spread.p50, spread.p95, spread.p99, spread.max))
