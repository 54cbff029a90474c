"""Letters for people and for scripts. Content of events is shown only where somebody asks for it."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from consumers.letters.cases import Case, State
from consumers.letters.ledger import Attempt
from consumers.letters.merge_patch import Json
from consumers.letters.outcome import Outcome
from consumers.letters.plan import Item
from consumers.letters.selection import shown
from contract.money import display
from contract.order import Line, Order
from contract.reasons import Reason

_CASES_SHOWN = 50  # --json has all
_NOTES_SHOWN = 5
# What an order says of nobody: only these values are shown in a diff.
_IMPERSONAL = (frozenset(Order.__struct_fields__) | frozenset(Line.__struct_fields__)) - {"customer_id", "session_id"}
_ABSENT = object()
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`")


def as_line(case: Case) -> dict[str, Any]:
    """What `--json` says of a case."""
    letter, stamp = case.newest, case.newest.stamp
    return {
        "letter_id": letter.letter_id,
        "line": letter.name,
        "state": str(case.state),
        "stream": letter.kind,
        "reasons": letter.reasons,
        "detail": letter.detail,
        "order_id": letter.order_id,
        "arrived_at": letter.arrived_at,
        "attempts": max((letter.attempt, *case.attempts)),
        "path": stamp.h if stamp else None,
        "file_id": stamp.f if stamp else None,
        "offset": stamp.o if stamp else None,
        "bytes": stamp.n if stamp else None,
        "original": letter.original,
    }


def show_cases(cases: Sequence[Case], notes: Sequence[str], console: Console) -> None:
    """Counts by reason and state, then the newest of them."""
    if cases:
        console.print(_counts(cases))
        console.print()
        console.print(_table(sorted(cases, key=lambda case: case.newest.arrived_at)[-_CASES_SHOWN:]))
    else:
        say(console, "no letters")
    if len(cases) > _CASES_SHOWN:
        say(console, f"the newest {_CASES_SHOWN} of {len(cases):,}; --json has them all")
    show_notes(notes, console)


def show_notes(notes: Sequence[str], console: Console) -> None:
    for note in notes[:_NOTES_SHOWN]:
        say(console, f"  {note}")
    if len(notes) > _NOTES_SHOWN:
        say(console, f"  and {len(notes) - _NOTES_SHOWN} more such")


def show_case(case: Case, history: Sequence[Attempt], console: Console) -> None:
    """Everything that is known of it, but for its content."""
    letter, stamp = case.newest, case.newest.stamp
    say(console, f"{letter.letter_id}: {case.state}")
    say(console, f"  line      {letter.source}" + (f", {stamp.n} bytes, read {stamp.t}" if stamp else ""))
    if letter.order_id:
        say(console, f"  order     {letter.order_id}")
    if case.accepted:
        say(console, f"  accepted  as event {case.accepted.event_id}, in the lake")
    for text in _reasons(letter.reasons):
        say(console, f"  {text}")
    if letter.detail:
        say(console, f"  where     {letter.detail}")
    say(console, "  history")
    for at, text in sorted(_history(case, history), key=lambda each: each[0]):
        say(console, f"    {at:%Y-%m-%d %H:%M:%S} {text}")
    say(console, f"  original  {letter.original}; --original prints it, personal data included")


def history_as_json(history: Sequence[Attempt]) -> list[dict[str, Any]]:
    """Without the events themselves."""
    named = [
        {
            **msgspec.to_builtins(attempt),
            "patch": _hidden(attempt.patch),
            "selection": _without_values(attempt.selection),
        }
        for attempt in history
    ]
    return [{name: value for name, value in each.items() if name != "record"} for each in named]


def show_outcome(outcome: Outcome, console: Console, *, applied: bool, with_values: bool) -> None:
    """What would come of it, or came of it."""
    for item in outcome.examples:
        say(console, item.case.newest.letter_id)
        for text in _diff(item, with_values):
            say(console, f"  {text}")
    say(console, f"{outcome.found:,} letters, {outcome.selected:,} selected")
    rows = [
        ("would pass", outcome.passing, ""),
        ("would be refused again", outcome.refused, _listed(outcome.remaining)),
        *(("left out", count, why) for why, count in _merged(outcome.left_out).most_common(10)),
    ]
    table = Table(box=None, pad_edge=False, show_header=False)
    for style in ("", "bold", "dim"):
        table.add_column(style=style, justify="right" if style == "bold" else "left")
    for name, figure, about in rows:
        if figure or name == "would pass":
            table.add_row(f"  {name}", f"{figure:,}", about)
    for currency, minor in sorted(outcome.revenue.items()):
        sign = "+" if minor >= 0 else ""
        table.add_row(f"  revenue {currency}", f"{sign}{display(minor, currency)}", "to what is stored now")
    console.print(table)
    if applied:
        say(console, f"sent {outcome.sent:,}" + (f"; not sent: {_listed(outcome.held_up)}" if outcome.held_up else ""))
    else:
        say(console, "nothing was sent")


def say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _counts(cases: Sequence[Case]) -> Table:
    states = [state for state in State if any(case.state is state for case in cases)]
    table = Table(box=None, pad_edge=False)
    table.add_column("decisive reason")
    for state in states:
        table.add_column(str(state), justify="right")
    by_reason: dict[str, Counter[State]] = {}
    for case in cases:
        by_reason.setdefault(case.newest.reasons[0], Counter())[case.state] += 1
    for reason, counts in sorted(by_reason.items(), key=lambda each: -each[1].total()):
        table.add_row(reason, *[f"{counts[state]:,}" for state in states])
    if len(by_reason) > 1:
        table.add_row("all", *[f"{sum(counts[state] for counts in by_reason.values()):,}" for state in states])
    return table


def _table(cases: Sequence[Case]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("arrived (UTC)", "state", "reasons", "order", "letter", "from"):
        table.add_column(name, overflow="fold")
    for case in cases:
        letter = case.newest
        where = f"{letter.stamp.h}:{letter.stamp.o}" if letter.stamp else "no agent"
        time = f"{letter.arrived_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(time, str(case.state), ", ".join(letter.reasons), letter.order_id or "", letter.letter_id, where)
    return table


def _reasons(reasons: Sequence[str]) -> Iterator[str]:
    known = {str(reason): reason for reason in Reason}
    for reason in reasons:
        yield f"reason    {reason}" + (f": {known[reason].about}" if reason in known else "")


def _history(case: Case, history: Sequence[Attempt]) -> Iterator[tuple[dt.datetime, str]]:
    for letter in case.letters:
        which = f"attempt {letter.attempt} " if letter.attempt else ""
        yield letter.arrived_at, f"{which}refused: {', '.join(letter.reasons)}"
    for attempt in history:
        how = f"mended with {msgspec.json.encode(_hidden(attempt.patch)).decode()}" if attempt.patch else "as it was"
        where = f" on {_without_values(attempt.selection)}" if attempt.selection else ""
        state = f"sent {attempt.sent_at:%H:%M:%S}" if attempt.sent_at else "claimed, and perhaps not sent"
        yield attempt.at, f"attempt {attempt.attempt} {state} by {attempt.by}, {how}{where}"


def _without_values(selection: str | None) -> str | None:
    """An expression without what it compares with: that may be somebody's id."""
    return None if selection is None else _LITERAL.sub("'***'", selection)


def _hidden(patch: Json) -> Json:
    """A patch without what may say who somebody is."""
    if isinstance(patch, dict):
        return {
            name: _hidden(value) if name in _IMPERSONAL or value is None else "***" for name, value in patch.items()
        }
    return [_hidden(each) for each in patch] if isinstance(patch, list) else patch


def _diff(item: Item, with_values: bool) -> Iterator[str]:
    assert item.made is not None
    for change in item.made.changes:
        for path, before, after in _differences(change.before, change.after, change.place):
            names = [part for part in path if isinstance(part, str)]
            is_plain = with_values or all(name in _IMPERSONAL for name in names)
            yield f"{shown(path)}: {_value(before, is_plain)} -> {_value(after, is_plain)}"


def _differences(before: Json, after: Json, path: tuple[str | int, ...]) -> Iterator[tuple[Any, Json, Json]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _differences(before.get(name, _ABSENT), after.get(name, _ABSENT), (*path, name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, (*path, index))
    elif before is not after and (before != after or type(before) is not type(after)):
        yield path, before, after


def _value(value: Json, is_plain: bool) -> str:
    if value is _ABSENT:
        return "absent"
    if not is_plain:
        return "***"
    if isinstance(value, dict | list):  # may hold anything
        return "{...}" if isinstance(value, dict) else "[...]"
    return msgspec.json.encode(value).decode()


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))


def _merged(left_out: Counter[str]) -> Counter[str]:
    """By the kind of why: most end in what they are about."""
    merged: Counter[str] = Counter()
    for why, count in left_out.items():
        merged[why.partition(", by ")[0].partition(", as ")[0].partition(": ")[0]] += count
    return merged
