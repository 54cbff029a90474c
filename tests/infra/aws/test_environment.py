"""Every variable that a process is given is a setting of that very process."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from consumers.account.settings import AccountSettings
from consumers.fleet.settings import FleetSettings
from consumers.keeper.settings import KeeperSettings, MigrateSettings
from consumers.letters.settings import LettersSettings
from consumers.settings import ColdSettings, IdentitySettings, LambdaSettings, LiveSettings
from dashboards.board.settings import BoardSettings
from infra.aws.environment import SECRETS, Addresses, environments
from infra.aws.inputs import Inputs
from infra.aws.profiles import PROFILES
from producers.agent.settings import AgentSettings
from producers.storefront.settings import StorefrontSettings
from runtime.settings import load

pytestmark = pytest.mark.unit

CLASSES: dict[str, type[Any]] = {
    "live": LiveSettings,
    "cold": ColdSettings,
    "keeper": KeeperSettings,
    "board": BoardSettings,
    "function": LambdaSettings,
    "agent": AgentSettings,
    "storefront": StorefrontSettings,
}
SECRET = {"function": ("STOREPULSE_OPENSEARCH_URL",), **SECRETS}


# What is run by hand reads what it needs of one environment.
BY_HAND = (AccountSettings, LettersSettings, MigrateSettings, IdentitySettings, FleetSettings)


def taken_by(kind: type[Any], given: dict[str, str]) -> set[str]:
    """Variables that the settings of `kind` know, loaded."""
    settings = load(kind, file=Path(os.devnull), environ=given)
    return {
        f"STOREPULSE_{section.name}_{field.name}".upper()
        for section in dataclasses.fields(settings)
        for field in dataclasses.fields(getattr(settings, section.name))
    }


def test_what_people_run_by_hand_takes_all_that_its_task_is_given() -> None:
    inputs = Inputs(account="111122223333", region="eu-west-1", suffix="corner-shop")
    given = environments(inputs, PROFILES["prod"], Addresses(warehouse_host="host", warehouse_role="arn"))["operator"]
    given |= dict.fromkeys(SECRETS["operator"], "https://user:word@host:443")

    assert given.keys() <= set().union(*(taken_by(kind, given) for kind in BY_HAND))


@pytest.mark.parametrize("transport", ["kinesis", "kafka"])
@pytest.mark.parametrize("process", CLASSES)
def test_a_process_takes_all_that_it_is_given(process: str, transport: str) -> None:
    inputs = Inputs(account="111122223333", region="eu-west-1", suffix="corner-shop", transport=transport)
    at = Addresses(warehouse_host="host", warehouse_role="arn", kafka_servers="b:9098" if transport == "kafka" else "")
    given = environments(inputs, PROFILES["prod"], at)[process]
    given |= dict.fromkeys(SECRET.get(process, ()), "https://user:word@host:443")
    settings = load(CLASSES[process], file=Path(os.devnull), environ=given)
    sections = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    taken = {
        f"STOREPULSE_{section}_{field.name}".upper()
        for section, values in sections.items()
        for field in dataclasses.fields(values)
    }
    assert given.keys() <= taken
    if "aws" in sections:
        assert sections["aws"].region == "eu-west-1"


def test_a_process_that_reads_streams_judges_by_the_same_lists() -> None:
    inputs = Inputs(account="1", region="eu-west-1", suffix="corner-shop")
    found = environments(inputs, PROFILES["dev"], Addresses(warehouse_host="", warehouse_role=""))
    for name in ("STOREPULSE_IDENTITY_KEY", "STOREPULSE_REFERENCE_BUCKET", "STOREPULSE_SHOP_TIME_ZONE"):
        assert len({found[process][name] for process in ("live", "cold", "function")}) == 1
