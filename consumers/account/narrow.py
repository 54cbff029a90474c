"""From a stretch that a store does not hold exactly to the few pieces of it that are to blame. Pure.

An agent says every few seconds how far a file is. Between two of its heartbeats lie few lines, so a difference in
millions of them is found with a dozen questions, and only the lines around it are looked at one by one.
"""

from collections.abc import Callable, Sequence

from consumers.account.emitted import Beat, Stretch, Tally

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
