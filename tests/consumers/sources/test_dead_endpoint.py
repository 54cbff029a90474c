"""`python -m consumers live` where Kinesis does not answer."""

import base64
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from infra.local.endpoints import Endpoints
from infra.local.home import PROJECT

pytestmark = pytest.mark.integration


def test_a_dead_port_is_one_line_and_exit_code_2(stack: Endpoints, tmp_path: Path) -> None:
    key = tmp_path / "identity.key"
    key.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(b"s" * 32).decode()}))
    environ = {
        **os.environ,
        "STOREPULSE_AWS_KINESIS_ENDPOINT": "http://127.0.0.1:9",
        "STOREPULSE_AWS_ENDPOINT": stack.aws.endpoint,
        "STOREPULSE_AWS_ACCESS_KEY_ID": stack.aws.access_key_id,
        "STOREPULSE_AWS_SECRET_ACCESS_KEY": stack.aws.secret_access_key,
        "STOREPULSE_OPENSEARCH_URL": stack.opensearch.url,
        "STOREPULSE_IDENTITY_KEY": str(key),
        "STOREPULSE_LIVE_APPLICATION": f"live-{uuid.uuid4().hex[:8]}",
        "STOREPULSE_FLEET_START_PATIENCE_S": "1",
        "STOREPULSE_SETTINGS": "",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "consumers", "live"],
        cwd=PROJECT,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2, ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert "127.0.0.1:9" in line and "[aws] kinesis_endpoint" in line
    assert "Traceback" not in ended.stderr
