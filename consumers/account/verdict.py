"""From what was seen to what is said of it. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from consumers.account import balance
from consumers.account.emitted import KINDS, ORDER, total
from consumers.account.explain import EPOCH, Case
from consumers.account.found import Unnamed
from consumers.account.progress import Waiting
from consumers.account.report import Account, ForeignRows, Gap, GapKind, OpenFile, StoreAccount, Verdict
from consumers.account.settings import Accounting
from consumers.account.stores.store import Kind
from consumers.account.taking import Look, StoreLook

_ORDER = {kind: number for number, kind in enumerate(GapKind)}
_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)  # nobody can tell how long an agent has been silent


def cases_of(look: Look) -> dict[str, Case]:
    """The files whose lines are to be looked at one by one, in order of file id."""
    wrong: dict[str, list[balance.Difference]] = {
        file_id: [] for file_id, stretch in look.emitted.items() if stretch.skipped
    }
    for each in look.stores.values():
        for difference in each.differences:
            wrong.setdefault(difference.stretch.file_id, []).append(difference)
    cases: dict[str, Case] = {}
    for file_id, differences in sorted(wrong.items()):
        closed = {name: each.closed[file_id] for name, each in look.stores.items() if file_id in each.closed}
        if closed:
            cases[file_id] = Case(
                path=look.newest[file_id].path,
                closed=closed,
                rows_since=EPOCH if any(file_id in each.old for each in look.stores.values()) else look.rows_since,
                differences=differences,
            )
    return cases


def account_of(look: Look, located: Sequence[Gap], notes: Sequence[str], settings: Accounting) -> Account:
    """The account. `located`: gaps of lines and objects; `notes`: what could not be looked at for them."""
    open_files = _open_files(look, settings)
    stores = [_store(name, each, look) for name, each in look.stores.items()]
    stores += [StoreAccount(name=name, trouble=why) for name, why in look.trouble.items()]
    stores.sort(key=lambda store: store.name)
    gaps = [*located, *_open_gaps(open_files), *_unnamed(look, settings), *_behind(look, settings)]
    unseen = _blind_notes(look)
    said = [*notes, *unseen, *_absent_notes(look), *_foreign_notes(stores), *_earlier_notes(look)]
    has_all = _has_all(look) and not open_files and not any(store.in_flight for store in stores)
    disagreement = balance.disagreements({name: each.revenue for name, each in look.stores.items()})
    if disagreement and not any(gap.kind is GapKind.LINES for gap in gaps):
        gaps += [_revenue_gap(currency, each) for currency, each in disagreement.items()]
    is_incomplete = bool(look.trouble) or bool(notes) or bool(unseen)
    verdict = Verdict.DOES_NOT_BALANCE if gaps else Verdict.INCOMPLETE if is_incomplete else Verdict.BALANCES
    return Account(
        taken_at=look.taken_at,
        since=look.window.since,
        until=look.window.until,
        verdict=verdict,
        settled=verdict is Verdict.BALANCES and has_all,
        files=len(look.emitted),
        emitted=total(look.emitted.values()),
        skipped_bytes=sum(stretch.skipped for stretch in look.emitted.values()),
        stores=stores,
        open=open_files,
        gaps=sorted(gaps, key=lambda gap: _ORDER[gap.kind]),
        notes=said,
    )


def _store(name: str, seen: StoreLook, look: Look) -> StoreAccount:
    compared = total(seen.closed.values())
    found = seen.found
    return StoreAccount(
        name=name,
        closed_before=seen.closed_before(look.end),
        behind={shard: waiting.since for shard, waiting in _waiting(seen).items()},
        files=len(seen.closed),
        compared=compared,
        orders=found.count(Kind.ORDER),
        hits=found.count(Kind.HIT),
        refused=found.refused(),
        mended=found.mended,
        duplicates=found.count(Kind.DUPLICATE),
        conflicts=found.conflicts,
        missing=compared.lines - found.lines.total(),
        in_flight=balance.in_flight(look.emitted, seen.closed),
        revenue=seen.revenue,
        foreign=ForeignRows(
            orders=seen.foreign.orders,
            hits=seen.foreign.hits,
            letters=seen.foreign.letters,
            revenue=dict(seen.foreign.revenue),
        ),
    )


def _waiting(seen: StoreLook) -> dict[str, Waiting]:
    """By shard, with the kind of lines before it unless they are orders: two streams may name their shards alike."""
    return {
        shard if kind == ORDER else f"{kind}/{shard}": waiting
        for kind, frontier in seen.frontiers.items()
        for shard, waiting in frontier.behind.items()
    }


def _open_files(look: Look, settings: Accounting) -> list[OpenFile]:
    """Of the files of the window whose very last heartbeat lies in it: what came later is a later account's."""
    until = look.window.until
    newest = [look.newest[file_id] for file_id in look.last]
    beats = [beat for beat in newest if until is None or beat.arrived_at < until]
    found = [
        file
        for kind in KINDS
        for file in balance.open_files(
            [beat for beat in beats if beat.kind == kind], look.seen_until.get(kind, _NEVER), settings.quiet_s
        )
    ]
    return [
        OpenFile(
            file_id=file.beat.file_id,
            path=file.beat.path,
            silent_s=round(file.silent_s, 3),
            unsent_bytes=file.beat.unsent,
            gap=file.is_gap,
        )
        for file in sorted(found, key=lambda file: (-file.silent_s, file.beat.file_id))
    ]


def _open_gaps(files: Sequence[OpenFile]) -> list[Gap]:
    return [
        Gap(
            kind=GapKind.OPEN,
            text=f"its agent fell silent {file.silent_s:.0f} s ago and was not done with it"
            + (f", {file.unsent_bytes} bytes were not sent" if file.unsent_bytes else ""),
            file_id=file.file_id,
            path=file.path,
        )
        for file in files
        if file.gap
    ]


def _unnamed(look: Look, settings: Accounting) -> list[Gap]:
    seen_until = look.all_seen_until
    if seen_until is None:
        return []
    return [
        Gap(
            kind=GapKind.UNNAMED,
            text=f"{file.lines} rows, and no heartbeat names their file"
            if file.beyond is None
            else f"{file.lines} rows from offset {file.beyond} on, where its agent had said that it was done with it",
            store=name,
            file_id=file.file_id,
            path=look.newest[file.file_id].path if file.file_id in look.newest else None,
        )
        for name, each in look.stores.items()
        for file in balance.too_old(_of_window(each, look), seen_until, settings.quiet_s)
    ]


def _of_window(seen: StoreLook, look: Look) -> list[Unnamed]:
    window = look.window
    return [
        file
        for file in seen.found.unnamed
        if window.since <= file.arrived_at and (window.until is None or file.arrived_at < window.until)
    ]


def _has_all(look: Look) -> bool:
    """Whether all stores have taken all that arrived in the window, and heartbeats vouch for every row of it."""
    until = look.window.until
    of_window = {file_id: beat for file_id, beat in look.newest.items() if beat.arrived_at >= look.window.since}
    if until is None and of_window != look.last:
        return False  # heartbeats came in during the look
    return all(
        not _of_window(each, look)
        and all(
            frontier.open_since is None or (until is not None and frontier.open_since >= until)
            for frontier in each.frontiers.values()
        )
        for each in look.stores.values()
    )


def _behind(look: Look, settings: Accounting) -> list[Gap]:
    """Records that wait for too long, whether or not anybody knows what is in them: heartbeats wait with them."""
    oldest = look.taken_at - dt.timedelta(seconds=settings.in_flight_s)
    before = min(oldest, look.window.until or oldest)
    gaps = []
    for name, each in look.stores.items():
        late = {s: w.since for s, w in _waiting(each).items() if w.is_seen and w.since < before}
        if late:
            shards = ", ".join(sorted(late)[:3]) + (" and more" if len(late) > 3 else "")
            text = f"records since {min(late.values()):%Y-%m-%d %H:%M:%S} UTC are not taken ({shards})"
            if lines := balance.in_flight(look.emitted, each.closed):
                text += f"; {lines} lines are in flight"
            gaps.append(Gap(kind=GapKind.BEHIND, text=text, store=name))
    return gaps


def _foreign_notes(stores: Sequence[StoreAccount]) -> list[str]:
    """Rows without an origin are nobody's promise, but stores that differ in them are worth a word."""
    found = {store.name: store.foreign for store in stores if store.foreign is not None}
    if len({(rows.orders, rows.hits, rows.letters) for rows in found.values()}) <= 1:
        return []
    each = ", ".join(
        f"{name} {rows.orders} orders, {rows.hits} hits and {rows.letters} letters" for name, rows in found.items()
    )
    return [f"records that no agent sent differ: {each}"]


def _blind_notes(look: Look) -> list[str]:
    """Streams that could not be looked at: all of their lines are in flight, as far as anybody can tell."""
    lines = dict.fromkeys(look.blind, 0)
    for file_id, stretch in look.emitted.items():
        kind = look.newest[file_id].kind
        if kind in lines:
            lines[kind] += stretch.emitted.lines
    return [
        f"the stream of {kind} lines: {why}; {lines[kind]} lines known to be emitted to it were not compared"
        for kind, why in look.blind.items()
    ]


def _absent_notes(look: Look) -> list[str]:
    """Nothing was emitted to them, so that nothing is missed; who expected something should know."""
    return [
        f"the stream of {kind} lines: {why}; no file of such lines was heard of" for kind, why in look.absent.items()
    ]


def _earlier_notes(look: Look) -> list[str]:
    """Files that an earlier account has named as open, and that still are: no later one is silent about them."""
    since = look.window.since
    left = [beat for _, beat in sorted(look.newest.items()) if not beat.final and beat.arrived_at < since]
    if not left:
        return []
    names = ", ".join(f"{beat.path} ({beat.file_id})" for beat in left[:3]) + (" and more" if len(left) > 3 else "")
    return [f"left open before {since:%Y-%m-%d %H:%M:%S} UTC, and still not final: {names}"]


def _revenue_gap(currency: str, by_store: Mapping[str, int]) -> Gap:
    amounts = ", ".join(f"{name} {amount}" for name, amount in by_store.items())
    return Gap(kind=GapKind.REVENUE, text=f"revenue in {currency} (minor units): {amounts}")


def as_json(account: Account) -> bytes:
    """The account for machines: the structs of `consumers.account.report`, field by field."""
    return msgspec.json.format(msgspec.json.encode(account), indent=2)
