"""Options of the command, before anything is asked of a service."""

import pytest
from click.testing import CliRunner

from consumers.letters.command import letters
from contract.reasons import Reason

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--patch", "{"), "--patch is no JSON"),
        (("--patch", "[1]"), "no JSON object"),
        (("--select", "lines"), "--select without --patch"),
        (("--patch", "{}", "--select", "lines["), "no JMESPath"),
        (("--encoding", "cp1252"), "--encoding without --patch"),
        (("--patch", "{}", "--encoding", "none-such"), "no such one"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_read(options: tuple[str, ...], why: str) -> None:
    result = CliRunner().invoke(letters, ["mend", *options])
    assert result.exit_code != 0 and why in str(result.exception)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("list", "--reason", "no_such"), "--reason"),
        (("list", "--from", "yesterday"), "neither a day"),
        (("list", "--state", "lost"), "--state"),
        (("replay", "--rate", "0"), "--rate"),
        (("show",), "LETTER_ID"),
    ],
)
def test_options_are_checked(options: tuple[str, ...], why: str) -> None:
    result = CliRunner().invoke(letters, options)
    assert result.exit_code == 2 and why in result.output


def test_every_verb_says_what_it_does_and_show_warns_of_personal_data() -> None:
    runner = CliRunner()
    for verb in ("list", "show", "mend", "replay"):
        assert runner.invoke(letters, [verb, "--help"]).exit_code == 0
    assert "PERSONAL DATA" in runner.invoke(letters, ["show", "--help"]).output
    assert str(Reason.UNKNOWN_SKU) not in runner.invoke(letters, ["list", "--help"]).output
