"""The agent's memory on disk."""

from pathlib import Path

import pytest

from producers.agent.files import FileRecord
from producers.agent.pack import Packed
from producers.agent.running import opened
from producers.agent.settings import AgentSettings, Spooling
from producers.agent.state import State, lock_folder, read_ledger
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


def record(file_id: str, inode: int = 1) -> FileRecord:
    return FileRecord(file_id=file_id, path=f"/spool/{file_id}", device=1, inode=inode, head_bytes=0, head="")


def line(file_id: str, offset: int, size: int = 9) -> Packed:
    return Packed(file_id, offset, offset + size + 1, 1_000 + offset, "key", b"")


def test_what_was_saved_is_there_after_a_restart(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.remember(record("a"))
    assert state.has_new_files
    state.save()
    assert not state.changed and not state.has_new_files
    assert State(tmp_path).find((1, 1)) == record("a")


def test_a_checkpoint_moves_up_to_the_first_line_that_is_not_acknowledged(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.remember(record("a", inode=1))
    state.remember(record("b", inode=2))
    batch = [line("a", 0), line("b", 0), line("a", 10), line("b", 10), line("a", 20)]
    state.advance(batch, [True, False, True, True, False])
    a, b = state.find((1, 1)), state.find((1, 2))
    assert a is not None and (a.offset, a.acknowledged_lines) == (20, 2)
    assert b is not None and (b.offset, b.acknowledged_lines) == (0, 0)
    state.advance([line("b", 0), line("b", 10), line("a", 20)], [True] * 3)
    a, b = state.find((1, 1)), state.find((1, 2))
    assert a is not None and (a.offset, a.acknowledged_lines) == (30, 3)
    assert b is not None and (b.offset, b.acknowledged_lines) == (20, 2)


def test_the_total_of_lines_keeps_those_of_forgotten_files(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.remember(record("a"))
    state.advance([line("a", 0)], [True])
    state.forget((1, 1))
    state.remember(record("b"))
    state.advance([line("b", 0), line("b", 10)], [True, True])
    state.save()
    ledger = read_ledger(tmp_path)
    assert (ledger.acknowledged_lines, ledger.forgotten_files, ledger.forgotten_lines) == (3, 1, 1)


@pytest.mark.parametrize("name", ["state: write", "state: rename"])
def test_a_crash_while_saving_leaves_the_state_before(tmp_path: Path, name: str) -> None:
    State(tmp_path).save()
    state = State(tmp_path)
    state.remember(record("a"))
    state.save()

    def crash(effect: str) -> None:
        if effect == name:
            raise RuntimeError

    late = State(tmp_path, effect=crash)
    late.remember(record("b", inode=2))
    with pytest.raises(RuntimeError):
        late.save()
    assert [known.file_id for known in read_ledger(tmp_path).files] == ["a"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"files":[{}]}', b'{"version":3}'])
def test_a_state_that_is_not_ours_stops_the_agent_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"state\.json"):
        State(tmp_path)


def test_two_agents_on_one_folder_exclude_each_other(tmp_path: Path) -> None:
    lock_folder(tmp_path / "new")
    with pytest.raises(ConfigError, match="another agent"):
        lock_folder(tmp_path / "new")


def test_spool_and_state_in_one_folder_are_refused(tmp_path: Path) -> None:
    settings = AgentSettings(agent=Spooling(spool=str(tmp_path), state=f"{tmp_path}/"))
    with pytest.raises(ConfigError, match=r"both .* spool and .* state"), opened(settings):
        pass


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="not usable as a folder"):
        lock_folder(tmp_path / "file")
