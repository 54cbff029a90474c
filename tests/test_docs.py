"""What the pages tell people to type: each command is there, with the options that are named."""

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from contract import figures
from dashboards.cloudwatch.alarms import alarm_name

pytestmark = pytest.mark.unit

PROJECT = Path(__file__).resolve().parents[1]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("**/*.md"))]
# What the repository runs by, and where the group of its verbs is.
GROUPS = {
    "producers": "producers",
    "consumers": "consumers",
    "dashboards": "dashboards",
    "loadtests": "loadtests",
    "infra.local": "local",
    "infra.aws": "aws",
}
_CALL = re.compile(r"python -m (" + "|".join(re.escape(name) for name in GROUPS) + r") ([^`\n#&|;)]+)")


@cache
def group(package: str) -> click.Group:
    """The verbs of `python -m package`."""
    module = importlib.import_module(f"{package}.__main__")
    found: object = getattr(module, GROUPS[package], None)
    if not isinstance(found, click.Group):
        (found,) = [each for each in vars(module).values() if isinstance(each, click.Group)]
    return found


def calls(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Package and words of each command; a choice, `a \\| b`, ends it."""
    for package, words in _CALL.findall(page.read_text()):
        yield (
            package,
            re.sub(r"\$\(.*", "", words).replace("\\", " ").split(),
        )  # what a shell puts in is no word of ours


def wrong_with(package: str, words: list[str]) -> str:
    """Empty if it can be typed so."""
    command: click.Command = group(package)
    rest = list(words)
    while isinstance(command, click.Group) and rest and re.fullmatch(r"[a-z][a-z-]*", rest[0]):
        found = command.get_command(click.Context(command), rest[0])
        if found is None:
            return f"{rest[0]!r} is no command of {command.name}"
        command = found
        del rest[0]
    # A group that is given something else has a command of its own for it.
    params = [*command.params, *(each for one in getattr(command, "commands", {}).values() for each in one.params)]
    known = {option for each in params for option in (*each.opts, *each.secondary_opts)} | {"--help", "-h"}
    named = [re.split("[=.,:]", word)[0].strip("[]()") for word in rest if re.match(r"\[?-", word)]
    unknown = [option for option in named if option and option not in known]
    return f"{unknown[0]} is no option of {command.name}" if unknown else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_there(page: Path) -> None:
    wrong = [
        f"{package} {' '.join(words)}: {why}" for package, words in calls(page) if (why := wrong_with(package, words))
    ]
    assert wrong == []


def test_the_check_finds_what_is_not_there() -> None:
    assert wrong_with("consumers", ["migrait"]) == "'migrait' is no command of consumers"
    assert wrong_with("consumers", ["account", "--wait", "5", "--hurry"]) == "--hurry is no option of account"
    assert wrong_with("consumers", ["letters", "list"]) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    paths = {target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)} - {""}
    missing = sorted(path for path in paths if not (page.parent / path).exists())
    assert missing == []


def test_the_page_of_operations_lists_every_alarm_with_its_runbook() -> None:
    text = (PROJECT / "docs" / "operations.md").read_text()
    listed_pages = dict(
        re.findall(r"^\| \[(storepulse-[a-z0-9-]+)\]\(runbooks/\1\.md\) \| (yes)? ?\|", text, re.MULTILINE)
    )
    wanted = {alarm_name(figure): "yes" if figure.alarm.pages else "" for figure in figures.alarms() if figure.alarm}
    assert listed_pages == wanted
