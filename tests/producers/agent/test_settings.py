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


def examples(tmp_path: Path) -> list[AgentSettings]:
    texts = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    files = [tmp_path / f"{number}.toml" for number, _ in enumerate(texts)]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return [load(AgentSettings, file=file, environ={}) for file in files]


def test_the_documented_examples_are_read(tmp_path: Path) -> None:
    settings, on_kafka = examples(tmp_path)
    assert (settings.streams.transport, on_kafka.streams.transport) == ("kinesis", "kafka")
    assert on_kafka.kafka.servers == "broker-1:9092,broker-2:9092"
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
