import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from producers.replay.export import read_export
from producers.replay.job import write
from producers.replay.mapping import Mapping
from producers.replay.orders import Invoices, invoices_of
from producers.replay.spool import ReplaySpool
from runtime.errors import ConfigError
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


@pytest.fixture
def invoices(export: Path, mapping: Mapping) -> Invoices:
    return invoices_of(read_export(export, mapping), mapping)


def replay(invoices: Invoices, path: Path) -> int:
    """Orders written by one run of the replay."""
    with ReplaySpool(path) as spool:
        earlier = spool.lines
        write(invoices.orders(earlier), spool, clock=ManualClock(), wait=lambda wait_s: False)
        return spool.lines - earlier


def test_a_replay_killed_at_any_byte_goes_on_without_losing_or_doubling_a_line(
    tmp_path: Path, invoices: Invoices
) -> None:
    replay(invoices, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    path = tmp_path / "cut"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        assert replay(invoices, path) == invoices.count - whole[:cut].count(b"\n")
        assert path.read_bytes() == whole, f"cut at byte {cut}"


def test_a_finished_replay_writes_nothing_again(tmp_path: Path, invoices: Invoices) -> None:
    assert replay(invoices, tmp_path / "spool") == 5
    assert replay(invoices, tmp_path / "spool") == 0


def test_a_torn_end_that_is_no_part_of_the_next_line_is_cut_off(tmp_path: Path, invoices: Invoices) -> None:
    path = tmp_path / "spool"
    replay(invoices, path)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    path.write_bytes(whole[:first] + b"\0" * 100)
    replay(invoices, path)
    assert path.read_bytes() == whole


def test_lines_longer_than_the_block_that_is_read_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    long = b"x" * (3 << 20)
    path.write_bytes(long + b"\n" + long)
    with ReplaySpool(path) as spool:
        assert spool.lines == 1
        spool.append([long + b"y\n"])
    assert path.read_bytes() == long + b"\n" + long + b"y\n"


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with ReplaySpool(tmp_path / "spool"), pytest.raises(ConfigError, match="another replay is writing it"):
        ReplaySpool(tmp_path / "spool")
    with ReplaySpool(tmp_path / "spool") as spool:
        assert spool.lines == 0


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"spool .*/file/spool: "):
        ReplaySpool(tmp_path / "file" / "spool")


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    with ReplaySpool(path) as spool, at_most(10), pytest.raises(ConfigError, match=r"spool .*: .* run again to go on"):
        spool.append([b"1234567\n", b"abcdefg\n"])
    with ReplaySpool(path) as spool:
        assert (path.stat().st_size, spool.lines) == (10, 1)
        spool.append([b"abcdefg\n"])
    assert path.read_bytes() == b"1234567\nabcdefg\n"


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Files of this process cannot grow past `size` bytes: the write in the middle of it is cut short."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
