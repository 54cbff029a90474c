"""The commands as a shell sees them: exit codes, what is printed, and who is told what."""

import json

import pytest
from click.testing import CliRunner

from dashboards.__main__ import dashboards
from dashboards.quicksight import command

pytestmark = pytest.mark.unit


@pytest.fixture
def run(tmp_path, settings, session, fake, monkeypatch):
    told = settings.quicksight
    file = tmp_path / "settings.toml"
    file.write_text(
        f'[quicksight]\naccount = "{told.account}"\nsecret = "{told.secret}"\npoll_s = 0.001\n'
        f'vpc_connection = "{told.vpc_connection}"\n'
    )
    monkeypatch.setattr(command, "client", lambda service, aws: fake.attach(session.client(service)))
    return lambda *words: CliRunner().invoke(dashboards, ["quicksight", *words, "--settings", str(file)])


def test_diff_says_what_deploy_then_does_and_the_second_time_nothing(run, fake):
    first = run("diff")
    assert first.exit_code == 1
    assert "create dashboard storepulse-shop" in first.output
    assert fake.changed == []
    done = run("deploy")
    assert done.exit_code == 0
    assert "create dashboard storepulse-shop: done" in done.output
    again = run("diff", "--json")
    assert (again.exit_code, json.loads(again.output)) == (0, {"changes": []})
    assert run("deploy").output == "nothing to change\n"


def test_a_deployment_that_fails_says_why_and_what_it_undid(run, fake):
    fake.fails["storepulse-shop"] = "a column is missing"
    done = run("deploy")
    assert done.exit_code == 3
    assert "error: dashboard storepulse-shop: CREATION_FAILED: INTERNAL_FAILURE: a column is missing" in done.output
    assert "undone: delete data-source storepulse-warehouse" in done.output
    assert fake.things == {}
