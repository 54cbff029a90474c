"""What docs/emit.md tells other languages to do ends in lines that the agent and the validator take."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.stages.decode import decode
from consumers.stages.events import Event
from consumers.stages.facts import NEVER, InForce
from consumers.stages.validate import faults_of

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[3] / "docs" / "emit.md"
ORDER = (
    '{"type":"order","schema_version":1,"event_id":"%s","event_time":"2026-11-27T08:00:00.123Z","order_id":"O-1",'
    '"kind":"sale","channel":"caf\u00e9","currency":"GBP","lines":[{"sku":"A","quantity":1,"unit_price":255}],"total":255}'
)


def shown(language: str) -> str:
    """The last block of `language` in the docs."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    return blocks[-1]


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def assert_two_good_orders_in_one_file(spool: Path) -> None:
    (file,) = spool.iterdir()
    assert file.suffix == ".ndjson"
    content = file.read_bytes()
    assert content.endswith(b"\n")
    lines = content.splitlines()
    assert [json.loads(line) for line in lines] == [json.loads(ORDER % number) for number in (1, 2)]
    for line in lines:
        event = decode(line)
        assert isinstance(event, Event) and not faults_of(event.order, InForce(), NEVER)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool"


def test_node(tmp_path: Path, spool: Path) -> None:
    orders = "".join(f"spool.append({ORDER % number});\n" for number in (1, 2))
    (tmp_path / "shop.mjs").write_text(f'{shown("js")}\nconst spool = new Spool("spool");\n{orders}spool.close();\n')
    run(tmp_path, str(Path(sys.executable).with_name("node")), "shop.mjs")
    assert_two_good_orders_in_one_file(spool)


@pytest.mark.skipif(shutil.which("javac") is None, reason="a JDK is no part of the locked environment")
def test_java(tmp_path: Path, spool: Path) -> None:
    orders = "".join(f"spool.append({json.dumps(ORDER % number)});\n" for number in (1, 2))
    imports, spool_class = shown("java").split("final class", 1)
    main = f'try (Spool spool = new Spool(Path.of("spool"))) {{\n{orders}}}'
    (tmp_path / "Shop.java").write_text(
        f"{imports}class Shop {{ public static void main(String[] a) throws Exception {{ {main} }} }}\n"
        f"final class{spool_class}"
    )
    run(tmp_path, "java", "Shop.java")
    assert_two_good_orders_in_one_file(spool)


@pytest.mark.skipif(shutil.which("php") is None, reason="PHP is no part of the locked environment")
def test_php(tmp_path: Path, spool: Path) -> None:
    orders = "".join(f"spool(json_decode('{ORDER % number}', true));\n" for number in (1, 2))
    program = shown("php").replace("/var/spool/storepulse/", f"{spool}/")
    (tmp_path / "shop.php").write_text(f"<?php\n{program}\n{orders}")
    run(tmp_path, "php", "shop.php")
    assert_two_good_orders_in_one_file(spool)
