"""Looking at a folder."""

import os
from pathlib import Path

import pytest

from producers.agent import watch
from producers.agent.watch import BUSY_FILES, THOROUGH_EVERY_S, Watch
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


def settled(folder: Path, clock: ManualClock) -> Watch:
    seen = Watch(folder, ".ndjson", lambda key: False, clock)
    assert [seen.look(thorough=False)[1] for _ in range(3)] == [True, True, False]
    return seen


def names(seen: Watch) -> set[str]:
    return {Path(file.path).stem for file in seen.look(thorough=False)[0]}


def fill(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / f"{number}.ndjson"
        path.touch()
        os.utime(path, ns=(number, number))


def test_most_looks_are_at_the_files_that_changed_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, BUSY_FILES + 100)
    seen = settled(tmp_path, ManualClock())
    monkeypatch.setattr(watch, "scan", lambda *_: pytest.fail("listed"))
    assert names(seen) == {str(number) for number in range(100, BUSY_FILES + 100)}


def test_an_old_file_that_grows_is_seen_within_a_second(tmp_path: Path) -> None:
    fill(tmp_path, BUSY_FILES + 1)
    clock = ManualClock()
    seen = settled(tmp_path, clock)
    (tmp_path / "0.ndjson").write_bytes(b"{}\n")
    assert "0" not in names(seen)
    clock.advance(THOROUGH_EVERY_S)
    assert "0" in names(seen)
    assert "0" in names(seen)


def test_a_new_file_is_seen_at_once(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    seen = settled(tmp_path, ManualClock())
    (tmp_path / "new.ndjson").touch()
    os.utime(tmp_path, ns=(7, 7))  # a clock tick later
    assert "new" in names(seen)


def test_a_file_that_came_in_the_same_clock_tick_as_a_look_is_seen_at_the_next(tmp_path: Path) -> None:
    seen = Watch(tmp_path, ".ndjson", lambda key: False, ManualClock())
    tick = tmp_path.stat().st_mtime_ns
    assert names(seen) == set()
    (tmp_path / "late.ndjson").touch()
    os.utime(tmp_path, ns=(tick, tick))
    assert names(seen) == {"late"}


def test_growth_shows_at_every_look(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    seen = settled(tmp_path, ManualClock())
    (tmp_path / "0.ndjson").write_bytes(b"{}\n")
    assert [file.size for file in seen.look(thorough=False)[0]] == [3]


def test_a_file_under_a_name_that_nobody_reads_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "shop.log").touch()
    (tmp_path / ".hidden").touch()
    seen = settled(tmp_path, ManualClock())
    (tmp_path / "later.txt").touch()
    os.utime(tmp_path, ns=(1, 1))
    seen.look(thorough=False)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [f"{name!r}: not read, its name does not end in .ndjson" for name in ("shop.log", "later.txt")]
