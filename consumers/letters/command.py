"""`python -m consumers letters`: what was refused, why, and how it is mended and sent again."""

import datetime as dt
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.letters.cases import Case, Filter, State
from consumers.letters.ledger import Attempt
from consumers.letters.outcome import Outcome
from consumers.letters.process import Desk, desk_of, sender_of, work
from consumers.letters.render import as_line, history_as_json, say, show_case, show_cases, show_notes, show_outcome
from consumers.letters.resent import Mend
from consumers.letters.selection import Selection
from consumers.letters.settings import LettersSettings, LookSettings, Sending
from consumers.reference.judges import judges_of
from consumers.spans.raw import read_raw
from contract.reasons import Reason
from runtime.clock import SystemClock
from runtime.command import errors_alone, stop_on_signals, with_settings
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.when import When

_UNMENDED = frozenset(State) - {State.MENDED}


@click.group()
def letters() -> None:
    """What was refused, why, and how it is mended and sent again."""


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say which letters are meant."""
    reasons = click.Choice([str(reason) for reason in Reason])
    states = click.Choice([str(state) for state in State])
    options = (
        click.option(
            "--reason",
            "reasons",
            multiple=True,
            type=reasons,
            metavar="REASON",
            help="One of its reasons; may be repeated.",
        ),
        click.option("--from", "since", type=When(), help="UTC day or RFC 3339 time of arrival. Default: 30 days ago."),
        click.option("--to", "until", type=When(), help="The same; not included."),
        click.option("--source", "sources", multiple=True, help="Host, host/path (with *), or file id."),
        click.option("--order", "order_ids", multiple=True, help="Order id, where it could be read."),
        click.option("--state", "states", multiple=True, type=states, help="What became of it."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@letters.command("list")
@_filters
@click.option("--json", "as_json", is_flag=True, help="One JSON object a letter, a line each.")
@with_settings(LookSettings)
def list_(settings: LookSettings, as_json: bool, since: dt.datetime | None, **filters: Any) -> None:
    """Which letters there are: counts by reason, and a table. No content of any event."""
    desk, cases = _look(settings, _filter(filters), since)
    if as_json:
        for case in cases:
            click.echo(msgspec.json.encode(as_line(case)))
        show_notes(desk.shelf.notes, Console(stderr=True))
    else:
        show_cases(cases, desk.shelf.notes, Console())


@letters.command()
@click.argument("letter_id")
@click.option("--original", is_flag=True, help="Print the records too, as they came: PERSONAL DATA.")
@click.option("--from", "since", type=When(), help="UTC day or RFC 3339 time of arrival. Default: 30 days ago.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line of the spool.")
@with_settings(LookSettings)
def show(settings: LookSettings, letter_id: str, original: bool, since: dt.datetime | None, as_json: bool) -> None:
    """Everything known of a letter. LETTER_ID: its id, or the line as FILE:OFFSET.

    --original prints what the shop wrote: names, addresses, whatever was in it. Mind who watches.
    """
    desk, cases = _look(settings, Filter(ids=[letter_id]), since)
    console = Console()
    for case in cases:
        history = _history(desk, case)
        if as_json:
            refusals = [{"attempt": e.attempt, "arrived_at": e.arrived_at, "reasons": e.reasons} for e in case.letters]
            known = {**as_line(case), "refusals": refusals, "sent": history_as_json(history)}
            if original:
                known["records"] = [record.decode(errors="replace") for record in _originals(desk, case)]
            click.echo(msgspec.json.encode(known))
            continue
        show_case(case, history, console)
        for record in _originals(desk, case) if original else ():
            say(console, record.decode(errors="replace"))
    show_notes(desk.shelf.notes, Console(stderr=True))
    if not cases:
        click.echo(f"no letter {letter_id} arrived in that time", err=True)
        sys.exit(1)


@letters.command()
@click.argument("letter_ids", nargs=-1)
@_filters
@click.option("--patch", help="RFC 7396 merge patch, a JSON object. Without: as it would be judged now.")
@click.option("--select", "selected", help="JMESPath: the objects of the event that the patch is applied to.")
@click.option("--encoding", help="Of lines that are not UTF-8, such as cp1252.")
@click.option("--apply", "is_applied", is_flag=True, help="Send those that would pass. Without: only look.")
@click.option("--values", is_flag=True, help="Show all changed values, PERSONAL DATA too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings(LettersSettings)
def mend(
    settings: LettersSettings,
    letter_ids: tuple[str, ...],
    patch: str | None,
    selected: str | None,
    encoding: str | None,
    is_applied: bool,
    values: bool,
    as_json: bool,
    since: dt.datetime | None,
    **filters: Any,
) -> None:
    """Change refused events, and see how many would pass now; with --apply, send those.

    The patch is applied to the event, or to each object of it that --select selects, in place.
    """
    mending = _mend(patch, selected, encoding)
    outcome = _work(settings, _filter(filters, letter_ids), since, mending, settings.letters.rate, is_applied, False)
    _tell(outcome, as_json, is_applied, values)


@letters.command()
@click.argument("letter_ids", nargs=-1)
@_filters
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Letters a second. Default: [letters] rate.")
@click.option("--all", "even_refused", is_flag=True, help="Those too that would be refused again.")
@click.option("--dry-run", is_flag=True, help="Only look.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings(LettersSettings)
def replay(
    settings: LettersSettings,
    letter_ids: tuple[str, ...],
    rate: float | None,
    even_refused: bool,
    dry_run: bool,
    as_json: bool,
    since: dt.datetime | None,
    **filters: Any,
) -> None:
    """Send letters again as they are: those that would pass now.

    Stopped or killed, run it again: it goes on where it was. What is on its way is not sent a second time.
    """
    wanted = _filter(filters, letter_ids)
    outcome = _work(settings, wanted, since, None, rate or settings.letters.rate, not dry_run, even_refused)
    _tell(outcome, as_json, not dry_run, False)


def _filter(filters: dict[str, Any], ids: tuple[str, ...] = ()) -> Filter:
    return Filter(
        ids=ids,
        reasons=frozenset(filters["reasons"]),
        until=filters["until"],
        sources=filters["sources"],
        order_ids=frozenset(filters["order_ids"]),
        states=frozenset(State(state) for state in filters["states"]),
    )


def _look(settings: LookSettings, wanted: Filter, since: dt.datetime | None) -> tuple[Desk, list[Case]]:
    desk = desk_of(settings)
    with _naming_outages():
        return desk, desk.find(wanted, since or _window(settings.letters)).cases


def _work(
    settings: LettersSettings,
    wanted: Filter,
    since: dt.datetime | None,
    mending: Mend | None,
    rate: float,
    is_applied: bool,
    even_refused: bool,
) -> Outcome:
    stop, clock, desk = stop_on_signals(), SystemClock(), desk_of(settings)
    sender = sender_of(settings, desk, rate, stop, clock) if is_applied else None
    if not wanted.states and not wanted.ids:
        wanted = replace(wanted, states=_UNMENDED)
    with errors_alone("consumers"), _naming_outages(), judges_of(settings, stop) as judges, _progress() as progress:
        if judges is None:
            return Outcome(held_up=Counter({"stopped before anything was looked at": 1}))
        found = desk.find(wanted, since or _window(settings.letters))
        bar = progress.add_task("letters", total=len(found.cases))
        outcome = work(
            desk,
            judges,
            found,
            mending,
            sender,
            clock,
            even_refused=even_refused,
            on_done=lambda cases: progress.advance(bar, cases),
            stop=stop,
        )
    show_notes(desk.shelf.notes, Console(stderr=True))
    return outcome


def _tell(outcome: Outcome, as_json: bool, is_applied: bool, with_values: bool) -> None:
    if as_json:
        figures = {
            name: getattr(outcome, name)
            for name in (
                *("found", "selected", "passing", "orders", "hits", "refused"),
                *("remaining", "left_out", "revenue", "sent", "held_up"),
            )
        }
        click.echo(msgspec.json.encode({**figures, "applied": is_applied}))
    else:
        show_outcome(outcome, Console(), applied=is_applied, with_values=with_values)
    if outcome.held_up:
        sys.exit(1)


def _mend(patch: str | None, selected: str | None, encoding: str | None) -> Mend | None:
    """Raises ConfigError for options that are none."""
    if patch is None:
        if selected:
            raise ConfigError("--select without --patch: say what is to change in what it selects")
        if encoding:
            raise ConfigError("--encoding without --patch: a line in another encoding travels by a mend alone")
        return None
    encoding = encoding or "utf-8"
    try:
        document = msgspec.json.decode(patch)
        "".encode(encoding)
    except msgspec.DecodeError as error:
        raise ConfigError(f"--patch is no JSON: {error}") from error
    except LookupError:
        raise ConfigError(f"--encoding {encoding!r}: no such one; try utf-8, latin-1 or cp1252") from None
    if not isinstance(document, dict):
        raise ConfigError("--patch is no JSON object: a merge patch names the fields that change")
    return Mend(patch=document, selection=Selection(selected) if selected else None, encoding=encoding)


def _history(desk: Desk, case: Case) -> list[Attempt]:
    with _naming_outages():
        found = [desk.ledger.read(case.newest, attempt) for attempt in case.attempts]
    return [attempt for attempt in found if attempt is not None]


def _originals(desk: Desk, case: Case) -> Iterator[bytes]:
    """The refused records, an attempt each."""
    for letter in case.letters:
        with _naming_outages():
            for record in read_raw(desk.shelf.restricted.get(letter.original)):
                if record.position == letter.position:
                    yield record.data


def _window(sending: Sending) -> dt.datetime:
    return SystemClock().now() - dt.timedelta(days=sending.window_days)


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


@contextmanager
def _naming_outages() -> Iterator[None]:
    """A command ends with one line, and can be run again."""
    try:
        yield
    except Outage as outage:
        raise ConfigError(f"{outage}; run this again once it answers") from outage
