"""One synthesis of prod a session."""

import pytest

from infra.aws.testing import Template, synthesised


@pytest.fixture(scope="session")
def prod(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """Everything on, not looked at by cdk-nag: that is a long test."""
    out = tmp_path_factory.mktemp("prod")
    return synthesised("prod", out, checked=False, function="on", quicksight_user="a", sender="shop@example.com")
