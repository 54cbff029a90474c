"""What would stop a deployment half-way, asked before anything is made: one sentence each, with what to do."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from infra.aws.environment import IDENTITY_SECRET
from infra.aws.inputs import Inputs
from infra.aws.profiles import Profile

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"})
BOOTSTRAP = "CDKToolkit"
_OWN_BUCKETS = ("lake", "restricted", "reference", "reports", "access-logs", "athena", "backup")


class Finding(NamedTuple):
    """Something that would stop the deployment, and what to do about it."""

    what: str
    remedy: str


Clients = Callable[[str], Any]  # builds a boto3 client of a service


def preflight(profile: Profile, inputs: Inputs, clients: Clients) -> list[Finding]:
    """Everything that is found; nothing is changed. Who cannot log in is told that alone."""
    found = list(_asked("sts", lambda: _account(inputs, clients)))
    if found:
        return found
    name = profile.name
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("ec2", lambda: _zones(inputs, clients)),
        ("cloudformation", lambda: _stacks(name, inputs, clients)),
        ("s3", lambda: _buckets(name, inputs, clients)),
        ("quicksight", lambda: _quicksight(inputs, clients)),
    )
    for service, check in checks:
        found += _asked(service, check)
    return found


def lacks(stack: str, clients: Clients) -> Finding | None:
    """What people have to bring before `stack` is deployed: processes without the key of identities would not start."""
    if not stack.endswith("-services"):
        return None
    return next(_asked("secretsmanager", lambda: _identity(clients)), None)


def _identity(clients: Clients) -> Iterator[Finding]:
    if not clients("secretsmanager").describe_secret(SecretId=IDENTITY_SECRET).get("VersionIdsToStages"):
        yield Finding(
            f"the secret {IDENTITY_SECRET} is empty",
            "make the first key, `python -m consumers identity rotate --create`, and put it in, as docs/deploy.md says"
            " in step 3; then deploy again",
        )


def _asked(service: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except NoCredentialsError:
        yield Finding("there are no AWS credentials", "run `aws sso login`, or set AWS_PROFILE")
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _EXPIRED:
            yield Finding("the AWS credential has expired or is unknown", "log in again: `aws sso login`")
        else:
            yield Finding(f"{service} refuses {error.operation_name}: {code}", "deploy with a role that may ask this")
    except BotoCoreError as error:
        text = re.sub(r"\s+", " ", str(error))
        yield Finding(f"{service} cannot be asked: {text}", "check the region and the network")


def _account(inputs: Inputs, clients: Clients) -> Iterator[Finding]:
    there = clients("sts").get_caller_identity()["Account"]
    if there != inputs.account:
        yield Finding(
            f"the credential is of account {there}, not {inputs.account}",
            "set AWS_PROFILE, or -c account=..., so that both name one account",
        )


def _zones(inputs: Inputs, clients: Clients) -> Iterator[Finding]:
    answer = clients("ec2").describe_availability_zones()
    there = {zone["ZoneName"] for zone in answer["AvailabilityZones"] if zone.get("ZoneType") != "local-zone"}
    missing = sorted(set(inputs.zone_names) - there)
    if missing:
        yield Finding(
            f"{inputs.region} has no zone {', '.join(missing)} for this account",
            f"-c zones=... with three of {', '.join(sorted(there))}",
        )


def _stacks(name: str, inputs: Inputs, clients: Clients) -> Iterator[Finding]:
    """The CDK's own stack, and stacks that an earlier deployment left broken."""
    cloudformation = clients("cloudformation")
    states: dict[str, str] = {}
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        states |= {stack["StackName"]: stack["StackStatus"] for stack in page["Stacks"]}
    if BOOTSTRAP not in states:
        yield Finding(
            f"the account is not prepared for the CDK in {inputs.region}",
            f"once: `cd infra/aws && npx cdk bootstrap aws://{inputs.account}/{inputs.region}`",
        )
    for stack, state in sorted(states.items()):
        if not stack.startswith(f"storepulse-{name}-"):
            continue
        if state in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
            yield Finding(f"{stack} is {state}: it was never made whole", f"delete it, then deploy again: {stack}")
        elif state == "UPDATE_ROLLBACK_FAILED":
            yield Finding(f"{stack} is {state}", "`aws cloudformation continue-update-rollback`, then deploy again")
        elif state.endswith("_IN_PROGRESS") and state != "REVIEW_IN_PROGRESS":
            yield Finding(f"{stack} is {state}", "somebody deploys: wait until it has ended")


def _buckets(name: str, inputs: Inputs, clients: Clients) -> Iterator[Finding]:
    """Bucket names are global: one that is there has to be of this deployment's stacks."""
    s3 = clients("s3")
    ours = _made_by(name, clients)
    for holds in _OWN_BUCKETS:
        bucket = inputs.bucket(holds)
        if bucket in ours:
            continue
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("404", "NoSuchBucket"):
                continue
            if code not in ("403", "301"):
                raise
            whose = "somebody else's, or in another region"
        else:
            whose = "yours already, but not made by these stacks"
        yield Finding(f"bucket {bucket} is {whose}", "-c suffix=... with another word, or import it: `npx cdk import`")


def _made_by(name: str, clients: Clients) -> set[str]:
    cloudformation, found = clients("cloudformation"), set()
    for part in ("data", "analytics", "backup"):
        try:
            pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=f"storepulse-{name}-{part}")
            found |= {
                each.get("PhysicalResourceId", "")
                for page in pages
                for each in page["StackResourceSummaries"]
                if each["ResourceType"] == "AWS::S3::Bucket"
            }
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":  # no such stack
                raise
    return found


def _quicksight(inputs: Inputs, clients: Clients) -> Iterator[Finding]:
    if not inputs.quicksight_user:
        return
    try:
        clients("quicksight").describe_user(
            AwsAccountId=inputs.account, Namespace="default", UserName=inputs.quicksight_user
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            yield Finding(
                f"QuickSight has no user {inputs.quicksight_user}, or the account no subscription",
                "subscribe to QuickSight Enterprise in its console and invite the user, or leave quicksight_user out",
            )
        else:
            raise
