"""When a store was back to normal after a sudden peak: from then on nothing took too long."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import msgspec

from loadtests.shapes import Phase, Shape

SUDDEN = ("step", "burst")  # names of phases
WINDOW_S = 10
_WINDOWS = (
    "SELECT (due_us - $peak) // $width, quantile_cont(fresh, 0.99), COUNT(*) FROM seen"
    " WHERE store = $store AND due_us >= $peak AND due_us < $stop GROUP BY 1"
)


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """One store after one peak: the orders due from then on were fresh again, by the p99 of each ten seconds.

    Until the next peak begins, or the shape ends. None: they never were.
    """

    phase: str
    store: str
    since_begin_s: float | None  # of the phase
    since_peak_s: float | None  # its end; 0: it was never over its limit after that


def recoveries(
    database: duckdb.DuckDBPyConnection, due: Sequence[int], shape: Shape, began_us: int, limit_s: Mapping[str, float]
) -> list[Recovery]:
    """Of the sightings in `seen`. `due`: when all probes were, the lost ones as well. `limit_s`: of watched stores."""
    found = []
    for phase, until_s in sudden(shape):
        peak_s = peak_end_s(shape, phase)
        peak_us, until_us = round(began_us + peak_s * 1e6), round(began_us + until_s * 1e6)
        width = WINDOW_S * 1_000_000
        expected = Counter((due_us - peak_us) // width for due_us in due if peak_us <= due_us < until_us)
        for store, most_s in limit_s.items():
            given = {"peak": peak_us, "width": width, "store": store, "stop": until_us}
            seen = {row[0]: row[1:] for row in database.execute(_WINDOWS, given).fetchall()}
            waits = {
                n: seen[n][0] if n in seen and seen[n][1] >= count else float("inf") for n, count in expected.items()
            }
            window_back = back_to_normal(waits, most_s)
            back_s = None if window_back is None else float(window_back * WINDOW_S)
            since_begin_s = None if back_s is None else peak_s - phase.start_s + back_s
            found.append(Recovery(phase=phase.name, store=store, since_begin_s=since_begin_s, since_peak_s=back_s))
    return found


def back_to_normal(waits: Mapping[int, float], most_s: float) -> int | None:
    """The first window from which on none is over `most_s`. `waits`: by number; infinite where a probe was lost."""
    last_over = max((n for n, wait in waits.items() if wait > most_s), default=-1)
    return min((n for n in waits if n > last_over), default=None)


def sudden(shape: Shape) -> Iterator[tuple[Phase, float]]:
    """Each phase with a peak, and until when its recovery is looked for."""
    phases = [phase for phase in shape.phases if phase.name in SUDDEN]
    ends = [*(phase.start_s for phase in phases[1:]), shape.seconds]
    yield from zip(phases, ends, strict=False)  # without a peak there is an end alone


def peak_end_s(shape: Shape, phase: Phase) -> float:
    """When the rate of a phase leaves its highest."""
    knots = [knot for knot in shape.knots if phase.start_s <= knot.at_s <= phase.end_s]
    highest = max(knot.rate for knot in knots)
    return max(knot.at_s for knot in knots if knot.rate == highest)
