"""What only the operator knows: account, region, names. From `-c KEY=VALUE`, else from the environment."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from infra.aws.profiles import Profile
from runtime.errors import ConfigError

PREFIX = "STOREPULSE_DEPLOY_"
_SYNTH = {"account": "000000000000", "region": "eu-west-2", "suffix": "example", "email": "operations@example.com"}
_CERTIFICATE = "arn:aws:acm:eu-west-2:000000000000:certificate/00000000-0000-0000-0000-000000000000"


def _input(default: str, about: str, pattern: str = ".*") -> Any:
    return field(default=default, metadata={"about": about, "pattern": pattern})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """One deployment's place and names."""

    account: str = _input("", "AWS account, twelve digits", r"\d{12}|")
    region: str = _input("", "AWS region, such as eu-west-2", r"[a-z]{2}(-[a-z]+)+-\d|")
    suffix: str = _input("", "ends every bucket's name, for those are global: your shop's name", r"[a-z0-9-]{3,24}|")
    email: str = _input("", "who gets alarms, reports and the budget's warnings", r"[^@\s]+@[^@\s]+\.[^@\s]+|")
    zones: str = _input("", "availability zones, with commas; empty: REGIONa, b and c", r"([a-z0-9-]+(,|$))*")
    certificate: str = _input("", "ARN of the shop's certificate in ACM; prod needs one", r"arn:aws[a-z-]*:acm:.*|")
    quicksight_user: str = _input("", "user of QuickSight who owns the dashboards; empty: no QuickSight")
    sender: str = _input("", "address or domain that SES sends reports from; empty: no SES identity")
    transport: str = _input("kinesis", "`kinesis`, or `kafka`: MSK Serverless", "kinesis|kafka")
    function: str = _input("off", "`on`: live's stages for the access stream as a Lambda function too", "on|off")
    time_zone: str = _input("Europe/London", "the shop's days ([shop] time_zone)")
    currency: str = _input("GBP", "the currency that boards lead with ([shop] currency)", "[A-Z]{3}")

    @property
    def zone_names(self) -> list[str]:
        """Three of them."""
        return self.zones.split(",") if self.zones else [f"{self.region}{letter}" for letter in "abc"]

    def bucket(self, holds: str) -> str:
        """A bucket's name in this deployment."""
        return f"storepulse-{holds}-{self.suffix}"


def inputs(context: Sequence[str], environ: Mapping[str, str]) -> Inputs:
    """Of `KEY=VALUE` texts, else STOREPULSE_DEPLOY_KEY; account and region also as the AWS tools have them.

    Raises ConfigError for a key that is unknown or a value that cannot be.
    """
    known = {each.name: each for each in fields(Inputs)}
    given = {
        "account": environ.get("CDK_DEFAULT_ACCOUNT", ""),
        "region": environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
        or environ.get("CDK_DEFAULT_REGION", ""),
    }
    for variable, value in environ.items():
        if variable.startswith(PREFIX):
            given[variable.removeprefix(PREFIX).lower()] = value
    for text in context:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"-c {text}: write it as KEY=VALUE; keys are {', '.join(known)}")
        given[key] = value
    for key, value in given.items():
        if key not in known:
            raise ConfigError(f"no input is called {key!r}; there are {', '.join(known)}")
        if not re.fullmatch(known[key].metadata["pattern"], value):
            raise ConfigError(f"{key} {value!r} cannot be: it is the {known[key].metadata['about']}")
    return Inputs(**{key: value for key, value in given.items() if value or key in ("account", "region")})


def for_synth(given: Inputs, profile: Profile, say: Callable[[str], object]) -> Inputs:
    """`given`, and examples for what is missing: a synthesis needs no account. `say` which are examples."""
    examples = {key: value for key, value in _SYNTH.items() if not getattr(given, key)}
    if profile.keeps_data and not given.certificate:
        examples["certificate"] = _CERTIFICATE
    if examples:
        say(f"examples stand for {', '.join(examples)}: good for looking at templates, not for a deployment")
    return Inputs(**{each.name: examples.get(each.name) or getattr(given, each.name) for each in fields(Inputs)})


def for_deployment(given: Inputs, profile: Profile) -> Inputs:
    """`given`, complete. Raises ConfigError that names all that is missing."""
    missing = [key for key in _SYNTH if not getattr(given, key)]
    if profile.keeps_data and not given.certificate:
        missing.append("certificate")  # people's names and cards do not travel in the open
    if missing:
        known = {each.name: each.metadata["about"] for each in fields(Inputs)}
        wanted = "; ".join(f"-c {key}=... or {PREFIX}{key.upper()}: {known[key]}" for key in missing)
        raise ConfigError(f"{profile.name} cannot be deployed without {wanted}")
    return given
