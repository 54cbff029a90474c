"""What would stop a deployment is said before anything is made, with what to do."""

import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from click.testing import CliRunner
from moto import mock_aws

from infra.aws.commands import aws
from infra.aws.environment import IDENTITY_SECRET
from infra.aws.inputs import Inputs, for_deployment, for_synth, inputs
from infra.aws.preflight import BOOTSTRAP, lacks, preflight
from infra.aws.profiles import DEV, PROD
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

REGION = "eu-west-2"
GIVEN = Inputs(account="123456789012", region=REGION, suffix="corner-shop", email="a@example.com")  # moto's account


class CloudFormation:
    """Stacks by name, with their states."""

    def __init__(self, **stacks: str) -> None:
        self._stacks = stacks

    def get_paginator(self, operation: str) -> "CloudFormation":
        return self

    def paginate(self, **asked: str) -> list[dict[str, Any]]:
        if asked:
            raise ClientError({"Error": {"Code": "ValidationError"}}, "ListStackResources")
        return [{"Stacks": [{"StackName": name, "StackStatus": state} for name, state in self._stacks.items()]}]


READY = CloudFormation(**{BOOTSTRAP: "CREATE_COMPLETE"})


def clients(service: str, stacks: CloudFormation = READY) -> Any:
    return stacks if service == "cloudformation" else boto3.client(service, region_name=REGION)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account with nothing in it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


def test_an_account_that_is_ready_has_nothing_to_say(account: None) -> None:
    assert preflight(DEV, GIVEN, clients) == []


def test_a_name_that_is_taken_is_found(account: None) -> None:
    clients("s3").create_bucket(Bucket=GIVEN.bucket("lake"), CreateBucketConfiguration={"LocationConstraint": REGION})
    (found,) = preflight(DEV, GIVEN, clients)
    assert GIVEN.bucket("lake") in found.what and "-c suffix=" in found.remedy


def test_another_account_than_the_one_meant_is_refused(account: None) -> None:
    (found,) = preflight(DEV, Inputs(account="999999999999", region=REGION), clients)
    assert "123456789012, not 999999999999" in found.what


def test_a_zone_that_is_not_there_and_a_subscription_that_is_not_are_found(account: None) -> None:
    given = Inputs(
        account=GIVEN.account, region=REGION, suffix="corner-shop", zones="eu-west-2a,eu-west-2b,eu-west-2z",
        quicksight_user="ana",
    )  # fmt: skip
    zone, user = preflight(DEV, given, clients)
    assert "no zone eu-west-2z" in zone.what and "-c zones=" in zone.remedy
    assert "no user ana" in user.what and "subscribe" in user.remedy


def test_an_account_without_the_cdk_s_stack_is_told_how_to_get_it(account: None) -> None:
    (found,) = preflight(DEV, GIVEN, lambda service: clients(service, CloudFormation()))
    assert f"cdk bootstrap aws://{GIVEN.account}/{REGION}" in found.remedy


def test_a_stack_that_an_earlier_deployment_left_broken_is_found(account: None) -> None:
    broken = {BOOTSTRAP: "CREATE_COMPLETE", "storepulse-dev-data": "ROLLBACK_COMPLETE", "other": "ROLLBACK_COMPLETE"}
    (found,) = preflight(DEV, GIVEN, lambda service: clients(service, CloudFormation(**broken)))
    assert found.what.startswith("storepulse-dev-data is ROLLBACK_COMPLETE")


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException"])
def test_an_expired_credential_is_told_alone(code: str) -> None:
    sts = boto3.client("sts", region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(sts) as stub:
        stub.add_client_error("get_caller_identity", code)
        (found,) = preflight(DEV, GIVEN, lambda _: sts)
    assert "expired" in found.what and "aws sso login" in found.remedy


def test_what_may_not_be_asked_is_named() -> None:
    class Refusing:
        def get_caller_identity(self) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetCallerIdentity")

    (found,) = preflight(DEV, GIVEN, lambda _: Refusing())
    assert found.what == "sts refuses GetCallerIdentity: AccessDenied"


def test_what_is_missing_is_named_all_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        for_deployment(inputs((), {}), PROD)
    for name in ("account", "region", "suffix", "email", "certificate"):
        assert f"-c {name}=... or STOREPULSE_DEPLOY_{name.upper()}" in str(raised.value)


@pytest.mark.parametrize("text", ["account=12", "region=moon", "suffix=UPPER", "email=me", "acount=1", "account"])
def test_an_input_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        inputs((text,), {})


def test_the_command_line_wins_over_the_environment_and_that_over_aws_s_own() -> None:
    environ = {"AWS_REGION": "eu-west-1", "STOREPULSE_DEPLOY_REGION": "eu-west-2", "STOREPULSE_DEPLOY_SUFFIX": "abc"}
    assert inputs((), environ).region == "eu-west-2"
    assert inputs(("region=eu-west-3",), environ).region == "eu-west-3"


def test_a_synthesis_says_which_names_are_examples() -> None:
    said: list[str] = []
    assert for_synth(inputs(("account=111122223333",), {}), DEV, said.append).account == "111122223333"
    assert "region, suffix, email" in said[0]


def test_deploy_without_an_account_changes_nothing_and_says_what_to_give() -> None:
    clean = {name: "" for name in os.environ if name.startswith(("AWS_", "CDK_", "STOREPULSE_DEPLOY_"))}
    done = CliRunner(env=clean).invoke(aws, ["deploy", "--profile", "dev"])
    assert isinstance(done.exception, ConfigError) and "dev cannot be deployed without -c account" in str(
        done.exception
    )


class Manager:
    """Secrets Manager with the secret that a deployment makes, with or without a value."""

    def __init__(self, *versions: str) -> None:
        self._versions = {version: ["AWSCURRENT"] for version in versions}

    def describe_secret(self, SecretId: str) -> dict[str, Any]:
        assert SecretId == IDENTITY_SECRET
        return {"Name": SecretId, **({"VersionIdsToStages": self._versions} if self._versions else {})}


def test_processes_are_not_deployed_before_there_is_a_key_of_identities() -> None:
    assert lacks("storepulse-prod-data", lambda _: Manager()) is None
    found = lacks("storepulse-prod-services", lambda _: Manager())
    assert found is not None and found.what == "the secret storepulse/identity is empty"
    assert lacks("storepulse-prod-services", lambda _: Manager("v1")) is None
