"""What the function imports, in a process of its own."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

_IMPORTED = """
import sys
from importlib.metadata import packages_distributions
import consumers.lambda_process
of = packages_distributions()
roots = {name.partition(".")[0] for name in sys.modules}
print(*sorted({found for root in roots - sys.stdlib_module_names for found in of.get(root, ())}))
"""


def test_a_cold_start_imports_nothing_that_is_locked_for_other_processes_alone() -> None:
    root = Path(__file__).parents[4]
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    named = {name: {re.split(r"[\[=]", each)[0] for each in groups[name]} for name in ("consumers", "producers")}
    locked = set(re.findall(r"^([\w.-]+)==", (root / "requirements" / "function.txt").read_text(), re.MULTILINE))
    others = (named["consumers"] | named["producers"]) - locked
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    imported = set(done.stdout.split())
    assert {"msgspec", "opensearch-py", "protobuf"} <= imported
    assert not imported & others
