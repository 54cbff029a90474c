"""A synthesis for tests."""

import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from infra.aws.inputs import Inputs
from infra.aws.profiles import PROFILES

Template = dict[str, Any]
ACCOUNT, SUFFIX = "111122223333", "corner-shop"


def synthesised(profile: str, out: Path, *, checked: bool, **given: str) -> dict[str, Template]:
    """Templates by the stack's part, written into `out`. Raises RuntimeError for what cdk-nag finds, if `checked`."""
    os.environ.setdefault("JSII_NODE", str(Path(sys.executable).with_name("node")))  # read when the CDK is imported
    from infra.aws.application import application

    told = {
        "account": ACCOUNT,
        "region": "eu-west-2",
        "suffix": SUFFIX,
        "email": "operations@example.com",
        "certificate": f"arn:aws:acm:eu-west-2:{ACCOUNT}:certificate/0",
    }
    application(PROFILES[profile], Inputs(**{**told, **given}), out, checked=checked).synth()
    return {
        path.name.removesuffix(".template.json").removeprefix(f"storepulse-{profile}-"): msgspec.json.decode(
            path.read_bytes()
        )
        for path in out.glob("*.template.json")
    }
