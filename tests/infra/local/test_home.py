"""The folder of all local data."""

from pathlib import Path

import pytest

from infra.local.home import Home
from infra.local.settings import Local
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


def home_at(path: Path) -> Home:
    return Home.of(Local(home=str(path)))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"file/home: cannot be written .*--home"):
        home_at(tmp_path / "file" / "home").make()


def test_too_little_disk_space_names_folder_and_need(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    home.make()

    home.check_space(min_free_mib=0)
    with pytest.raises(ConfigError, match=rf"^{tmp_path}.*: \d+ MiB free, the local stack needs {1 << 40} MiB"):
        home.check_space(min_free_mib=1 << 40)


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    home = home_at(tmp_path)

    with home.held(), pytest.raises(ConfigError, match=r"a stack runs here already \(process \d+\)"), home.held():
        pass
    with home.held():
        pass


def test_clear_keeps_downloads_and_what_is_not_ours(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    home.make()
    home.data_of("kinesis")
    home.settings_file.write_text("")
    (tmp_path / "diary.txt").write_text("")

    home.clear()

    assert {path.name for path in tmp_path.iterdir()} == {"downloads", "diary.txt"}
