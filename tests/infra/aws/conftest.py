"""One synthesis of prod a session."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("JSII_NODE", str(Path(sys.executable).with_name("node")))

Template = dict[str, Any]
ACCOUNT, SUFFIX = "111122223333", "corner-shop"


def synthesised(profile: str, out: Path, *, checked: bool, **given: str) -> dict[str, Template]:
    """Templates by the stack's part."""
    from infra.aws.application import application
    from infra.aws.inputs import Inputs
    from infra.aws.profiles import PROFILES

    inputs = Inputs(
        **{
            "account": ACCOUNT,
            "region": "eu-west-2",
            "suffix": SUFFIX,
            "email": "operations@example.com",
            "certificate": f"arn:aws:acm:eu-west-2:{ACCOUNT}:certificate/0",
            **given,
        }
    )
    application(PROFILES[profile], inputs, out, checked=checked).synth()
    return {
        path.name.removesuffix(".template.json").removeprefix(f"storepulse-{profile}-"): json.loads(path.read_text())
        for path in out.glob("*.template.json")
    }


@pytest.fixture(scope="session")
def prod(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """Everything on, not looked at by cdk-nag: that is a long test."""
    out = tmp_path_factory.mktemp("prod")
    return synthesised("prod", out, checked=False, function="on", quicksight_user="a", sender="shop@example.com")
