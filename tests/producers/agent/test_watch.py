"""Looking at a folder."""

import errno
import os
from pathlib import Path

import pytest

from producers.agent import files, watch
from producers.agent.globs import Glob, Names
from producers.agent.watch import BUSY_FILES, THOROUGH_EVERY_S, Watch
from runtime.errors import ConfigError
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


def watch_on(*folders: Path, clock: ManualClock, name: str = "*.ndjson") -> Watch:
    globs = [Glob.of(f"{folder}/{name}") for folder in folders]
    return Watch(globs, lambda key: False, clock, is_ours=True)


def settled(folder: Path, clock: ManualClock) -> Watch:
    seen = watch_on(folder, clock=clock)
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
    seen = watch_on(tmp_path, clock=ManualClock())
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
    assert warnings == [f"{name!r}: not read, its name is not like *.ndjson" for name in ("shop.log", "later.txt")]


def test_folders_may_come_later_and_go_again(tmp_path: Path) -> None:
    clock = ManualClock()
    seen = watch_on(tmp_path / "logs", tmp_path / "*" / "deep", clock=clock, name="*.log")
    assert names(seen) == set()
    for folder in ("logs", "shop-1/deep", "shop-2/deep"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{folder.replace('/', '-')}.log").touch()
    assert "logs" in names(seen)
    clock.advance(THOROUGH_EVERY_S)
    assert names(seen) == {"logs", "shop-1-deep", "shop-2-deep"}
    (tmp_path / "logs" / "logs.log").unlink()
    (tmp_path / "logs").rmdir()
    clock.advance(THOROUGH_EVERY_S)
    assert names(seen) == {"shop-1-deep", "shop-2-deep"}
    assert seen.unlisted == {}


def test_a_folder_that_cannot_be_listed_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.ndjson").touch()
    listed = files.os.scandir

    def guarded(folder: str) -> object:
        if folder.endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return listed(folder)

    monkeypatch.setattr(files.os, "scandir", guarded)
    clock = ManualClock()
    seen = watch_on(tmp_path / "closed", tmp_path / "open", clock=clock)
    for _ in range(3):
        found, is_all = seen.look(thorough=True)
        assert ([Path(file.path).name for file in found], is_all) == (["open.ndjson"], False)
    assert list(seen.unlisted) == [str(tmp_path / "closed")]
    assert len([line for line in caplog.messages if "cannot be listed" in line]) == 1


def test_the_same_file_under_two_globs_comes_once(tmp_path: Path) -> None:
    (tmp_path / "access.log").touch()
    globs = [Glob.of(f"{tmp_path}/*.log"), Glob.of(f"{tmp_path}/access*")]
    seen = Watch(globs, lambda key: False, ManualClock(), is_ours=False)
    assert len(seen.look(thorough=True)[0]) == 1


@pytest.mark.parametrize(
    ("glob", "matching", "passed_over"),
    [
        ("access.log", ["access.log"], ["access.log.1", "access.log.1.gz"]),
        ("access*", ["access.log", "access.log.1"], ["access.log.1.gz", "access.log.2.zst", "access.log.3.bz2"]),
        ("access*.gz", ["access.log.1.gz"], ["access.log", "access.log.1.zst"]),
    ],
)
def test_compressed_files_are_asked_for_by_their_ending(
    tmp_path: Path, glob: str, matching: list[str], passed_over: list[str]
) -> None:
    asked = Names([Glob.of(f"{tmp_path}/{glob}").name])
    assert [name for name in matching + passed_over if asked.match(name)] == matching


@pytest.mark.parametrize("text", ["", "/", "/var/log/nginx/"])
def test_a_glob_that_names_no_file_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="names no file"):
        Glob.of(text)
