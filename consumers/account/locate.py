"""Where a difference lies: from a stretch that a store does not hold exactly to the few lines that are to blame. Pure.

An agent says every few seconds how far a file is. Between two of its heartbeats lie few lines, so a difference in
millions of them is found with a dozen questions; only the lines around it are looked at one by one, as each place holds
them, side by side.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.account.emitted import Beat, Stretch, Tally
from consumers.account.originals import Original
from consumers.account.report import Line
from consumers.account.stores.store import FoundLine

RAW = "raw"
FEW_LINES = 5_000  # are compared one by one at once: fewer questions than halving them further


def pieces(stretch: Stretch, beats: Sequence[Beat]) -> list[Stretch]:
    """The stretch, cut at each heartbeat that lies in it; whatever the beats, the pieces add up to the stretch."""
    before = [beat.tally for beat in beats if beat.end == stretch.start] or [Tally()] * (stretch.start == 0)
    if not before:
        return [stretch]
    cuts: list[Stretch] = []
    start, done = stretch.start, Tally()
    for beat in beats:
        if start < beat.end < stretch.end:
            so_far = beat.tally.minus(before[0])
            cuts.append(Stretch(file_id=stretch.file_id, start=start, end=beat.end, emitted=so_far.minus(done)))
            start, done = beat.end, so_far
    rest = stretch.emitted.minus(done)
    return [*cuts, Stretch(file_id=stretch.file_id, start=start, end=stretch.end, emitted=rest)]


def joined(neighbours: Sequence[Stretch]) -> Stretch:
    """Pieces that follow one another, as one."""
    emitted = neighbours[0].emitted
    for piece in neighbours[1:]:
        emitted = emitted.plus(piece.emitted)
    first, last = neighbours[0], neighbours[-1]
    return Stretch(file_id=first.file_id, start=first.start, end=last.end, emitted=emitted)


def narrowed(neighbours: Sequence[Stretch], is_exact: Callable[[Stretch], bool], *, most: int) -> list[Stretch]:
    """The parts of these pieces that are not exact, in order, joined up to FEW_LINES. At most `most`: the first ones.

    The pieces together are known not to be exact. `is_exact` asks the stores.
    """
    whole = joined(neighbours)
    if len(neighbours) == 1 or whole.emitted.lines <= FEW_LINES:
        return [whole]
    half = len(neighbours) // 2
    found: list[Stretch] = []
    for part in (neighbours[:half], neighbours[half:]):
        if len(found) < most and not is_exact(joined(part)):
            found += narrowed(part, is_exact, most=most - len(found))
    return found or [whole]


@dataclass(slots=True, kw_only=True)
class _Seen:
    """One offset."""

    offset: int
    bytes: int
    content: tuple[int, int]  # bytes and crc, as the raw records say, else the first store
    original: Original | None = None
    rows: dict[str, list[FoundLine]] = field(default_factory=dict)  # by store


def located(
    piece: Stretch,
    originals: Sequence[Original] | None,
    rows: Mapping[str, tuple[int, Iterable[FoundLine]]],
) -> Iterator[tuple[str | None, Line]]:
    """What is wrong with the lines of one piece, by offset: the store it is wrong in (None: in no store), and how.

    `originals` None: they could not be read. `rows`: by store, the offset up to which its stretch is closed, and its
    rows. A line that was delivered twice may be among the originals twice: that is no trouble.
    """
    seen = _side_by_side(originals, rows)
    ends = {store: end for store, (end, _) in rows.items()}
    following = piece.start
    for at in sorted(seen.values(), key=lambda each: each.offset):
        if at.offset > following:
            yield None, _hole(following, at.offset, originals is not None)
        following = max(following, at.offset + at.bytes + 1)
        for store, end in ends.items():
            trouble = _trouble(at, at.rows.get(store, ()), is_closed=at.offset < end)
            if trouble:
                yield store, _line(trouble, at)
    if following < piece.end:
        yield None, _hole(following, piece.end, originals is not None)


def _side_by_side(
    originals: Sequence[Original] | None, rows: Mapping[str, tuple[int, Iterable[FoundLine]]]
) -> dict[int, _Seen]:
    seen: dict[int, _Seen] = {}
    for line in originals or ():
        seen[line.offset] = _Seen(offset=line.offset, bytes=line.bytes, content=(line.bytes, line.crc), original=line)
    for store, (_, found) in rows.items():
        for row in found:
            at = seen.setdefault(row.offset, _Seen(offset=row.offset, bytes=row.bytes, content=(row.bytes, row.crc)))
            at.rows.setdefault(store, []).append(row)
    return seen


def _trouble(at: _Seen, rows: Sequence[FoundLine], *, is_closed: bool) -> str:
    if not rows:
        return "missing" if is_closed else ""
    if len(rows) > 1:
        return "twice"
    return "" if (rows[0].bytes, rows[0].crc) == at.content else "other_content"


def _line(trouble: str, at: _Seen) -> Line:
    stored = next((row.row_id for rows in at.rows.values() for row in rows), None)
    return Line(
        trouble=trouble,
        offset=at.offset,
        end=at.offset + at.bytes + 1,
        id=at.original.event_id if at.original else stored,
        held_by=([RAW] if at.original else []) + list(at.rows),
        raw=at.original.raw if at.original else None,
        manifest=at.original.manifest if at.original else None,
    )


def _hole(start: int, end: int, is_certain: bool) -> Line:
    return Line(trouble="never_reached" if is_certain else "nowhere", offset=start, end=end)
