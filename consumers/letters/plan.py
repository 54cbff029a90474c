"""What would come of sending letters again: judged by what is in force now, and kept from being sold twice."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from consumers.delivery import Backpressure, Batch, Position, Record, Shard
from consumers.letters.accepted import Accepted, Stored
from consumers.letters.cases import Case, State
from consumers.letters.ledger import Attempt, Ledger
from consumers.letters.letter import Kind
from consumers.letters.outlets import AT_ONCE
from consumers.letters.resent import Mend, Resent, Unselected, Unsendable, resent
from consumers.reference.judges import Judges
from consumers.spans.raw import read_raw
from consumers.stages.judge import Verdict
from contract.rows import HitRow, LetterRow, OrderRow
from runtime.clock import Clock
from runtime.objects import Objects
from runtime.outage import Outage

_READERS = 16

_Place = tuple[str, Position]  # of a record: its object's key, and where in its shard it was


class Fate(StrEnum):
    """What is to be done with a case."""

    PASSES = "would pass"
    REFUSED = "would be refused again"
    LEFT_OUT = "left out"  # `Item.why` says why
    UNSELECTED = "not selected"  # the selection selects nothing in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One case, and what would come of it."""

    case: Case
    fate: Fate
    why: str = ""
    made: Resent | None = None
    before_sha256: str = ""
    row: Verdict | None = None  # None: not judged
    claimed: Attempt | None = None  # an attempt that was claimed and perhaps never sent: it comes first

    @property
    def order_id(self) -> str | None:
        if self.claimed is not None:  # a mend may have changed it
            return self.claimed.order_id
        return self.row.order_id if isinstance(self.row, OrderRow) else self.case.newest.order_id


class Planner:
    """Plans chunk by chunk; of a chunk's events alone the content is in memory."""

    def __init__(
        self, restricted: Objects, ledger: Ledger, stored: Stored, clock: Clock, judges: Judges | None = None
    ) -> None:
        """`judges` None: nothing is judged beforehand, and everything passes."""
        self._restricted = restricted
        self._ledger = ledger
        self._stored = stored
        self._clock = clock
        self._judges = judges

    def chunks(self, cases: Iterable[Case], mend: Mend | None) -> Iterator[list[Item]]:
        """Every case, once. Raises Outage, ConfigError.

        A chunk goes over the borders of objects: each chunk asks all of the lake, and most objects hold few letters.
        """
        taken: dict[str, str] = {}  # lines, by the order that they are sent for
        waiting = iter(sorted(cases, key=lambda case: (case.newest.arrived_at.date(), case.newest.original, case.name)))
        while some := list(islice(waiting, AT_ONCE)):
            records = self._records(some)
            items = [self._made(case, records.get(_place_of(case)), mend) for case in some]
            yield self._once(self._judged(items), taken)

    def _records(self, cases: Sequence[Case]) -> Mapping[_Place, bytes]:
        """By where they lie, those that are still there."""
        wanted = {_place_of(case) for case in cases}
        keys = sorted({key for key, _ in wanted})
        with ThreadPoolExecutor(_READERS, thread_name_prefix="originals") as pool:
            read = list(pool.map(lambda key: self._records_in(key, wanted), keys))
        return {place: data for records in read for place, data in records}

    def _records_in(self, key: str, wanted: Collection[_Place]) -> list[tuple[_Place, bytes]]:
        try:
            records = read_raw(self._restricted.get(key))
            return [(place, each.data) for each in records if (place := (key, each.position)) in wanted]
        except (KeyError, ValueError):
            return []

    def _made(self, case: Case, data: bytes | None, mend: Mend | None) -> Item:
        if case.state is State.MENDED:
            return Item(case=case, fate=Fate.LEFT_OUT, why="its line is accepted already")
        if case.state is State.ON_ITS_WAY:
            return self._on_its_way(case)
        if case.behind is not None:
            return Item(
                case=case, fate=Fate.LEFT_OUT, why=f"a second line of its event: {case.behind} is the one to send"
            )
        if data is None:
            return Item(case=case, fate=Fate.LEFT_OUT, why="its original is gone")
        try:
            made = resent(case.newest, data, mend, case.next_attempt)
        except Unsendable as error:
            return Item(case=case, fate=Fate.LEFT_OUT, why=str(error))
        except Unselected:
            return Item(case=case, fate=Fate.UNSELECTED)
        return Item(case=case, fate=Fate.PASSES, made=made, before_sha256=hashlib.sha256(data).hexdigest())

    def _on_its_way(self, case: Case) -> Item:
        claimed = self._ledger.read(case.newest, max(case.attempts)) if case.is_unsent else None
        if claimed is None:
            return Item(case=case, fate=Fate.LEFT_OUT, why="it is on its way already: its verdict comes first")
        made = Resent(data=claimed.record, key=claimed.key, attempt=claimed.attempt)
        return Item(case=case, fate=Fate.PASSES, made=made, claimed=claimed, before_sha256=claimed.before_sha256)

    def _judged(self, items: Sequence[Item]) -> list[Item]:
        if self._judges is None:
            return list(items)
        rows: dict[int, Verdict] = {}
        kinds: tuple[Kind, ...] = ("order", "access")
        for kind in kinds:
            numbers = [n for n, item in enumerate(items) if item.made and item.case.newest.kind == kind]
            if not numbers:
                continue
            judge = self._judges.access if kind == "access" else self._judges.orders
            now = self._clock.now()
            records = [Record(Position(n), now, made.data) for n in numbers if (made := items[n].made)]
            try:
                judged = judge.judge(Batch(shard=Shard(stream="letters", shard_id="letters"), records=records))
            except Backpressure as trouble:
                raise Outage(str(trouble)) from trouble
            rows |= {n: each.row for n, each in zip(numbers, judged, strict=True)}
        return [_with_row(item, rows[n]) if n in rows else item for n, item in enumerate(items)]

    def _once(self, items: Sequence[Item], taken: dict[str, str]) -> list[Item]:
        """Leaves out what is sold already, under whatever identity, and all but one of the letters of one order."""
        orders = [item for item in items if item.made and item.case.newest.kind == "order"]
        if not orders:
            return list(items)
        ids = [item.case.newest.letter_id for item in orders]
        known = self._stored.orders(ids, sorted({item.order_id for item in orders if item.order_id}))
        by_event = {each.event_id: each for each in known}
        by_order = {each.order_id: each for each in known if each.order_id}
        return [self._one(item, by_event, by_order, taken) for item in items]

    def _one(
        self, item: Item, by_event: dict[str, Accepted], by_order: dict[str, Accepted], taken: dict[str, str]
    ) -> Item:
        letter, order_id = item.case.newest, item.order_id
        if item.made is None or letter.kind != "order":
            return item
        if letter.letter_id in by_event:
            return _left_out(item, f"its event id is stored as accepted already, by {by_event[letter.letter_id].name}")
        if order_id in by_order:
            stored = by_order[order_id]
            return _left_out(item, f"its order id is stored as accepted already, as event {stored.event_id}")
        if order_id is None or item.fate is not Fate.PASSES:
            return item
        first = taken.setdefault(order_id, item.case.name)
        return item if first == item.case.name else _left_out(item, f"another letter of its order goes first: {first}")


def _place_of(case: Case) -> _Place:
    return case.newest.original, case.newest.position


def _with_row(item: Item, row: Verdict) -> Item:
    is_accepted = isinstance(row, OrderRow | HitRow)
    why = ", ".join(row.reasons) if isinstance(row, LetterRow) else ""
    fate = Fate.PASSES if is_accepted else Fate.REFUSED
    if isinstance(row, OrderRow) and row.event_id != item.case.newest.letter_id:
        fate, why = Fate.LEFT_OUT, "its identity would be another one"
    return Item(
        case=item.case,
        fate=fate,
        why=why,
        made=item.made,
        before_sha256=item.before_sha256,
        row=row,
        claimed=item.claimed,
    )


def _left_out(item: Item, why: str) -> Item:
    return Item(case=item.case, fate=Fate.LEFT_OUT, why=why, row=item.row)
