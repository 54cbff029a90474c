from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.kinesis import sequence
from infra.local.kinesis.errors import StartError
from infra.local.kinesis.log import FRAME, SEPARATOR, Page, ShardLog, arrival

pytestmark = pytest.mark.unit

_HEAD = sequence.prefix(1_795_000_000_000, 3)


def _line(counter: int, arrived_ms: int, data_bytes: int = 8) -> bytes:
    return (
        b'{"SequenceNumber":"%b","ApproximateArrivalTimestamp":%b,"PartitionKey":"k","Data":"%b"}'
        % (
            sequence.number(_HEAD, counter).encode(),
            arrival(arrived_ms),
            b"A" * data_bytes,
        )
        + SEPARATOR
    )


@st.composite
def _records(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """(counter, arrival, data length): counters strictly increase, arrivals never decrease."""
    steps = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(0, 300)), max_size=40)
    rows, counter, arrived_ms = [], 0, 1_795_000_000_000
    for more, later, size in draw(steps):
        counter, arrived_ms = counter + more, arrived_ms + later
        rows.append((counter, arrived_ms, size))
    return rows


def _open(folder: str, rows: list[tuple[int, int, int]]) -> tuple[ShardLog, list[int]]:
    """A log of these rows, and where each starts and the last ends."""
    log = ShardLog(Path(folder) / "shard.log")
    lines = [_line(*row) for row in rows]
    log.append(b"".join(lines))
    return log, list(accumulate((len(line) for line in lines), initial=0))


def test_a_tail_torn_at_any_byte_is_cut_to_the_last_whole_record(tmp_path: Path) -> None:
    lines = [_line(1, 1_795_000_000_001), _line(2, 1_795_000_000_002, 20), _line(3, 1_795_000_000_003)]
    whole, ends = b"".join(lines), list(accumulate(len(line) for line in lines))
    for size in range(len(whole) + 1):
        path = tmp_path / "shard.log"
        path.write_bytes(whole[:size])
        log = ShardLog(path)
        kept = [end for end in ends if end <= size]
        assert log.size == path.stat().st_size == (kept[-1] if kept else 0)
        last = log.last.sequence if log.last else None
        assert last == (sequence.number(_HEAD, len(kept)) if kept else None)


def test_a_torn_line_longer_than_any_buffer_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "shard.log"
    path.write_bytes(_line(1, 1_795_000_000_001) + _line(2, 1_795_000_000_002, 1_400_000)[:-1])
    assert ShardLog(path).size == len(_line(1, 1_795_000_000_001))


def test_a_file_that_is_no_log_stops_the_start_by_name(tmp_path: Path) -> None:
    path = tmp_path / "shard.log"
    path.write_bytes(b"something else\n")
    with pytest.raises(StartError, match=r"shard\.log: damaged"):
        ShardLog(path)


def test_the_frame_is_what_a_line_has_beside_key_and_data() -> None:
    assert len(_line(1, 1_795_000_000_001, 0)) == FRAME + len("k")


@given(rows=_records(), probe=st.integers(0, 130))
def test_a_sequence_number_is_found_as_in_a_list(rows: list[tuple[int, int, int]], probe: int) -> None:
    with TemporaryDirectory() as folder:
        log, starts = _open(folder, rows)
        number = sequence.number(_HEAD, probe)
        assert log.at_sequence(number) == starts[sum(row[0] < probe for row in rows)]
        assert log.after_sequence(number) == starts[sum(row[0] <= probe for row in rows)]


@given(rows=_records(), probe=st.integers(-1, 85))
def test_a_time_is_found_as_in_a_list(rows: list[tuple[int, int, int]], probe: int) -> None:
    moment = 1_795_000_000_000 + probe
    with TemporaryDirectory() as folder:
        log, starts = _open(folder, rows)
        assert log.at_time(moment) == starts[sum(row[1] < moment for row in rows)]


@given(rows=_records(), start=st.integers(0, 40), limit=st.integers(1, 50), most=st.integers(0, 9000))
def test_a_page_is_the_most_whole_records_within_both_limits(
    rows: list[tuple[int, int, int]], start: int, limit: int, most: int
) -> None:
    start = min(start, len(rows))
    with TemporaryDirectory() as folder:
        log, starts = _open(folder, rows)
        fit = [end for end in starts[start + 1 :] if end - starts[start] <= most][:limit]
        page = log.page(starts[start], limit, most)
        assert page == Page(starts[start], fit[-1] if fit else starts[start], len(fit))
        inside = log.read(page.start, page.end - page.start)[: -len(SEPARATOR)]
        assert len(msgspec.json.decode(b"[%b]" % inside)) == len(fit)


def test_pages_and_places_hold_across_large_records(tmp_path: Path) -> None:
    rows = [(n, 1_795_000_000_000 + n, 200_000 if n % 3 else 4) for n in range(1, 30)]
    log, starts = _open(str(tmp_path), rows)
    assert [log.at_sequence(sequence.number(_HEAD, row[0])) for row in rows] == starts[:-1]
    assert log.page(0, 20, 1 << 30) == Page(0, starts[20], 20)
