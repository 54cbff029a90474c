import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta

from runtime.errors import ConfigError
from runtime.settings import Aws, Shop, describe, load, masked, setting

pytestmark = pytest.mark.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    poll_s: float = setting(0.05, "how often to look", unit="s")
    spool: str = setting("spool", "folder")
    lines: Annotated[int, Meta(ge=0)] = setting(10, "how many")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    aws: Aws = Aws()
    tail: Tail = Tail()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text('[aws]\nregion = "eu-west-1"\n[tail]\npoll_s = 1\n[another_process]\nx = 1\n')
    return path


def test_the_file_overrides_defaults_and_leaves_other_tables_alone(file: Path) -> None:
    settings = load(Process, file=file, environ={})
    assert (settings.aws.region, settings.tail.poll_s, settings.tail.spool) == ("eu-west-1", 1.0, "spool")


def test_the_environment_overrides_the_file(file: Path) -> None:
    settings = load(Process, file=file, environ={"STOREPULSE_AWS_REGION": "us-east-1", "STOREPULSE_TAIL_POLL_S": "0.2"})
    assert (settings.aws.region, settings.tail.poll_s) == ("us-east-1", 0.2)


def test_a_section_whose_name_begins_as_anothers_has_variables_of_its_own() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Both:
        tail: Tail = Tail()
        tail_end: Tail = Tail()

    settings = load(
        Both, file=Path("/dev/null"), environ={"STOREPULSE_TAIL_END_LINES": "3", "STOREPULSE_TAIL_LINES": "4"}
    )
    assert (settings.tail_end.lines, settings.tail.lines) == (3, 4)


def test_the_environment_can_name_the_file(file: Path) -> None:
    assert load(Process, environ={"STOREPULSE_SETTINGS": str(file)}).aws.region == "eu-west-1"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[tail]\npol_s = 1\n", "has no setting 'pol_s'; it has poll_s, spool, lines"),
        ('[tail]\npoll_s = "soon"\n', r"\[tail\] poll_s: Expected `float`"),
        ("[tail]\nlines = -1\n", r"\[tail\] lines: Expected `int` >= 0"),
        ("tail = 1\n", r"\[tail\] must be a table"),
        ("[tail\n", "not readable as TOML"),
    ],
)
def test_a_broken_file_is_one_line_that_says_what_to_change(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=complaint):
        load(Process, file=path, environ={})


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such settings file"):
        load(Process, file=tmp_path / "none.toml", environ={})


def test_the_file_that_the_environment_names_may_be_absent_where_a_command_says_so(tmp_path: Path) -> None:
    environ = {"STOREPULSE_SETTINGS": str(tmp_path / "none.toml"), "STOREPULSE_TAIL_SPOOL": "mine"}
    assert load(Process, environ=environ, default_may_be_absent=True).tail.spool == "mine"
    with pytest.raises(ConfigError, match="no such settings file"):
        load(Process, environ=environ)


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not readable"):
        load(Process, environ={"STOREPULSE_SETTINGS": str(tmp_path)}, default_may_be_absent=True)


def test_a_wrong_environment_value_names_its_variable(file: Path) -> None:
    with pytest.raises(ConfigError, match="STOREPULSE_TAIL_POLL_S"):
        load(Process, file=file, environ={"STOREPULSE_TAIL_POLL_S": "soon"})


def test_the_description_masks_secrets_and_shows_units(file: Path) -> None:
    text = describe(load(Process, file=file, environ={"STOREPULSE_AWS_SECRET_ACCESS_KEY": "hush"}))
    assert "hush" not in text
    assert 'secret_access_key = "***"' in text
    assert "poll_s = 1.0  # how often to look (s)" in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:p@ss@host:9200/path", "https://***@host:9200/path"),
        ("https://host:9200/path?at=a@b", "https://host:9200/path?at=a@b"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_its_user_and_password(url: str, shown: str) -> None:
    assert masked(url) == shown
    settings = load(Process, environ={"STOREPULSE_AWS_ENDPOINT": url, "STOREPULSE_SETTINGS": ""})
    assert f'\nendpoint = "{shown}"' in describe(settings)


def test_a_misspelt_variable_of_a_section_is_refused_and_other_sections_are_left_alone(file: Path) -> None:
    environ = {"STOREPULSE_ANOTHER_X": "1", "STOREPULSE_TAIL_SPOL": "/x"}
    with pytest.raises(ConfigError, match=r"^STOREPULSE_TAIL_SPOL: .* has no setting 'spol'; it has poll_s"):
        load(Process, file=file, environ=environ)


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "../../etc/passwd"])
def test_a_time_zone_that_is_none_is_refused(name: str) -> None:
    assert Shop(time_zone="Europe/London").zone().key == "Europe/London"
    with pytest.raises(ConfigError, match="time_zone"):
        Shop(time_zone=name).zone()


def test_a_process_has_values_of_its_own_where_nothing_else_is_said() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Northern:
        aws: Aws = Aws(region="eu-north-1", access_key_id="own")

    found = load(Northern, file=Path(os.devnull), environ={"STOREPULSE_AWS_ACCESS_KEY_ID": "theirs"})

    assert found.aws == Aws(region="eu-north-1", access_key_id="theirs")
