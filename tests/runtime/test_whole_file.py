from pathlib import Path

import pytest

from runtime.whole_file import write_whole

pytestmark = pytest.mark.unit


def test_a_file_is_replaced_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    write_whole(path, b"new")

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
