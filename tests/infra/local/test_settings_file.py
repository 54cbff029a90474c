from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.local.commands import local

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("verb", ["status", "down", "reset"])
def test_the_file_that_up_has_yet_to_write_may_be_named_already(tmp_path: Path, verb: str) -> None:
    home = tmp_path / "home"
    environ = {"STOREPULSE_SETTINGS": str(home / "settings.toml")}
    result = CliRunner().invoke(local, [verb, "--home", str(home)], env=environ)
    assert str(home) in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
