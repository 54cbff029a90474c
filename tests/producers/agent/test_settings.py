"""What the agent can be told, and the example that the documents give."""

import re
from pathlib import Path

import pytest

from producers.agent import settings as module
from producers.agent.running import globs_of, opened, stream_names
from producers.agent.settings import AgentSettings, Spooling
from runtime.errors import ConfigError
from runtime.settings import load

pytestmark = pytest.mark.unit

DOCUMENT = Path(module.__file__).parents[2] / "docs" / "agent.md"


def test_the_documented_example_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (tmp_path / "agent.toml").write_text(example)
    settings = load(AgentSettings, file=tmp_path / "agent.toml", environ={})
    globs = {kind: [str(glob) for glob in found] for kind, found in globs_of(settings.agent).items()}
    assert globs == {
        "order": [f"/var/spool/storepulse/*.ndjson{end}" for end in ("", "*.gz", "*.zst")],
        "access": [f"/var/log/nginx/shop.access.log*{end}" for end in ("", "*.gz", "*.zst")],
    }
    assert stream_names(settings.streams) == {"order": "storepulse-transactions", "access": "storepulse-access"}


def test_without_access_logs_there_is_one_road(tmp_path: Path) -> None:
    how = Spooling(spool=str(tmp_path / "spool"), state=str(tmp_path / "state"))
    with opened(AgentSettings(agent=how)) as roads:
        assert [road.kind for road in roads.all] == ["order"]


@pytest.mark.parametrize("logs", ["spool/access.log", "state/*.log", "*/x.log"])
def test_web_logs_in_one_of_our_own_folders_are_refused(tmp_path: Path, logs: str) -> None:
    for name in ("spool", "state"):
        (tmp_path / name).mkdir()
    how = Spooling(spool=str(tmp_path / "spool"), state=str(tmp_path / "state"), access_logs=f"{tmp_path}/{logs}")
    with pytest.raises(ConfigError, match="keep them apart"), opened(AgentSettings(agent=how)):
        pass
