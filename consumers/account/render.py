"""The account for people."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from consumers.account.report import Account, Gap, Line, StoreAccount, Verdict
from contract.money import display
from contract.reasons import Reason

_LINES_SHOWN = 10  # of a gap; --json has more
_GAPS_SHOWN = 20
_OPEN_SHOWN = 5

_TROUBLES = {
    "missing": "missing",
    "twice": "found more than once",
    "other_content": "found with another length or checksum",
    "never_reached": "never reached the stream, or its raw records are gone",
    "torn": "its order lines are not all there",
    "nowhere": "in no store; the raw records could not be read",
}
_STYLES = {Verdict.BALANCES: "bold green", Verdict.DOES_NOT_BALANCE: "bold red", Verdict.INCOMPLETE: "bold yellow"}


def show_account(account: Account, console: Console) -> None:
    """A column a store, a line a figure; then what is wrong, and the verdict last."""
    stores = [store for store in account.stores if store.trouble is None]
    if stores:
        console.print(_table(account, stores))
    for store in account.stores:
        if store.trouble is not None:
            _say(console, f"  {store.name}: not looked at: {store.trouble}")
    for file in account.open[:_OPEN_SHOWN]:
        if not file.gap:
            _say(console, f"  {file.path} ({file.file_id}): still open")
    if len(account.open) > _OPEN_SHOWN:
        _say(console, f"  {len(account.open)} files are open in all")
    for gap in account.gaps[:_GAPS_SHOWN]:
        for text in _told(gap):
            _say(console, text)
    if len(account.gaps) > _GAPS_SHOWN:
        _say(console, f"  and {len(account.gaps) - _GAPS_SHOWN} more gaps; --json has them all")
    for note in account.notes:
        _say(console, f"  {note}")
    console.print(verdict_of(account), style=_STYLES[account.verdict], highlight=False, markup=False, soft_wrap=True)


def verdict_of(account: Account) -> str:
    """One sentence. Lines on their way are no gap."""
    in_flight = {store.name: store.in_flight for store in account.stores if store.in_flight}
    on_the_way = ", ".join(f"{lines} on their way to {name}" for name, lines in in_flight.items())
    if account.verdict is Verdict.DOES_NOT_BALANCE:
        return f"THE ACCOUNT DOES NOT BALANCE: {_summary(account)}"
    if account.verdict is Verdict.INCOMPLETE:
        blind = [store.name for store in account.stores if store.trouble is not None]
        return f"THE ACCOUNT IS INCOMPLETE: {', '.join(blind) or 'something'} could not be looked at"
    if not account.emitted.lines:
        return "no agent was heard of: there is nothing to account for"
    if account.settled:
        return "the account balances to the line"
    still = f"{len(account.open)} files are open" if account.open else ""
    return f"the account balances so far: {', '.join(filter(None, [on_the_way, still])) or 'more is to come'}"


def progress_of(account: Account) -> str:
    """One short line on the way."""
    parts = [f"emitted {account.emitted.lines:,}"]
    for store in account.stores:
        if store.trouble is None:
            done = store.compared.lines - store.missing
            parts.append(f"{store.name} {done:,}" + (f" ({store.in_flight:,} in flight)" if store.in_flight else ""))
        else:
            parts.append(f"{store.name} away")
    return " · ".join(parts + ([f"{len(account.open)} files open"] if account.open else []))


def _summary(account: Account) -> str:
    first = account.gaps[0]
    more = f", and {len(account.gaps) - 1} more" if len(account.gaps) > 1 else ""
    return f"{_headline(first)}{more}"


def _table(account: Account, stores: Sequence[StoreAccount]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column()
    for store in stores:
        table.add_column(store.name, justify="right")
    table.add_column(style="dim")
    table.add_row("lines emitted", *[str(account.emitted.lines)] * len(stores), f"in {account.files} files")
    for name, figures, about in _figures(stores):
        if any(figure not in ("", "0") for figure in figures) or not name.startswith("  "):
            table.add_row(name, *figures, about)
    return table


def _figures(stores: Sequence[StoreAccount]) -> Iterator[tuple[str, list[str], str]]:
    """Rows of the table; those that begin with a space are left out where they say nothing."""
    meaning = defaultdict(str, {str(reason): reason.about for reason in Reason})
    yield "orders", [str(store.orders) for store in stores], ""
    if any(store.hits for store in stores):
        yield "hits", [str(store.hits) for store in stores], ""
    yield "refused", [str(sum(store.refused.values())) for store in stores], ""
    for reason in sorted({reason for store in stores for reason in store.refused}):
        yield f"  {reason}", [str(store.refused.get(reason, 0)) for store in stores], meaning[reason]
    yield "  mended", [str(store.mended) for store in stores], "refused once, sent again: among orders and hits"
    yield "duplicates", [str(store.duplicates) for store in stores], "emitted twice by the shop"
    yield "  conflicts", [str(store.conflicts) for store in stores], "with another content than the first"
    yield "in flight", [str(store.in_flight) for store in stores], ""
    yield "missing", [str(store.missing) for store in stores], ""
    for currency in sorted({currency for store in stores for currency in store.revenue}):
        amounts = [display(store.revenue.get(currency, 0), currency) for store in stores]
        yield f"revenue {currency}", amounts, "of lines that all hold"
    foreign = [store.foreign for store in stores]
    yield "  foreign orders", [str(rows.orders) if rows else "" for rows in foreign], "no agent sent them"
    yield "  foreign hits", [str(rows.hits) if rows else "" for rows in foreign], "no agent sent them"
    yield (
        "  foreign letters",
        [str(rows.letters) if rows else "" for rows in foreign],
        "no agent sent them",
    )


def _headline(gap: Gap) -> str:
    where = f"{gap.path} ({gap.file_id})" if gap.path else gap.file_id or gap.key or ""
    stretch = f" offsets {gap.start}..{gap.end}" if gap.start is not None and gap.end is not None else ""
    return ": ".join(filter(None, [gap.store or "", f"{where}{stretch}", gap.text]))


def _told(gap: Gap) -> Iterator[str]:
    yield f"  {_headline(gap)}"
    for line in gap.lines[:_LINES_SHOWN]:
        yield f"    {_line(line)}"
    hidden = gap.more + max(0, len(gap.lines) - _LINES_SHOWN)
    if hidden:
        yield f"    and {hidden} more lines"


def _line(line: Line) -> str:
    identity = f" {line.id}" if line.id else ""
    text = f"offset {line.offset}..{line.end}{identity}: {_TROUBLES.get(line.trouble, line.trouble)}"
    if line.held_by:
        text += f"; held by {', '.join(line.held_by)}"
    if line.raw:
        text += f"; original in {line.raw}"
    if line.objects:
        text += f"; its row belongs in {' or '.join(line.objects)}"
    return text


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
