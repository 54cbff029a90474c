"""cdk-nag and cfn-lint find nothing in either profile, nor over Kafka, that nobody has given a reason for."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.aws.testing import synthesised

pytestmark = pytest.mark.soak


@pytest.mark.parametrize(
    ("profile", "given"),
    [
        ("dev", {"certificate": ""}),
        ("prod", {"function": "on", "quicksight_user": "a", "sender": "example.com"}),
        ("prod", {"transport": "kafka"}),
    ],
)
def test_templates_are_clean(profile: str, given: dict[str, str], tmp_path: Path) -> None:
    synthesised(profile, tmp_path, checked=True, **given)
    lint = [str(Path(sys.executable).with_name("cfn-lint")), "--config-file", "infra/aws/cfnlintrc.yaml"]
    files = [str(path) for path in tmp_path.glob("*.template.json")]
    done = subprocess.run([*lint, "--regions", "eu-west-2", "--", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
