"""A deployment goes stack by stack, stops where it has to, and says what stands."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.aws import deploying
from infra.aws.preflight import Finding

pytestmark = pytest.mark.unit
STACKS = ["data", "search", "services"]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stacks that the CDK's CLI was asked for."""
    asked: list[str] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        asked.append(command[-1])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(deploying, "cli", lambda: ["cdk"])
    return asked


def test_it_stops_before_a_stack_that_lacks_something_and_says_what_stands(deployed: list[str]) -> None:
    said: list[str] = []
    missing = {"services": Finding("the secret is empty", "put the key in")}
    assert deploying.deploy(Path("out"), STACKS, said.append, approve=True, lacks=missing.get) == 1
    assert deployed == ["data", "search"]
    assert "STOPPED before services: the secret is empty: put the key in. Deployed: data, search." in said
    assert "Not deployed, as before: services. Mend it, and deploy again." in said


def test_it_stops_at_a_stack_that_fails(deployed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: SimpleNamespace(returncode=int(command[-1] == "search"))
    )
    assert deploying.deploy(Path("out"), STACKS, said.append, approve=True, lacks=lambda _: None) == 1
    assert "STOPPED at search (exit code 1). Deployed: data." in said


def test_all_of_it_is_deployed_in_order(deployed: list[str]) -> None:
    said: list[str] = []
    assert deploying.deploy(Path("out"), STACKS, said.append, approve=True, lacks=lambda _: None) == 0
    assert deployed == STACKS and said[-1] == "deployed: data, search, services"
