"""The lock files of the programs that come as jars."""

import pytest

from infra.local.jars.lock import Lock, read_lock
from infra.local.kafka import broker
from infra.local.opensearch import node
from infra.local.opensearch.layout import MODULES
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

NAME = "org.opensearch:opensearch"
CORE = f"org.opensearch:opensearch:3.8.0 {'a' * 64} 10 lib"


def test_a_line_becomes_a_jar_named_by_artifact_version_and_classifier() -> None:
    line = f"io.netty:netty-codec:4.2:linux-x86_64 {'b' * 64} 123 transport,lib"

    lock = read_lock(f"{CORE}\n{line}\n", NAME, ["transport"])

    assert lock.version == "3.8.0"
    jar = lock.jars[1]
    assert (jar.file_name, jar.size) == ("netty-codec-4.2-linux-x86_64.jar", 123)
    assert jar.places == {"transport", "lib"}


def test_jars_of_modules_that_are_not_used_are_not_downloaded() -> None:
    lock = read_lock(f"{CORE}\na:b:1 {'b' * 64} 1 geo\nc:d:1 {'c' * 64} 1 geo,reindex\n", NAME, ["reindex"])

    assert [jar.coordinate for jar in lock.jars] == ["org.opensearch:opensearch:3.8.0", "c:d:1"]


@pytest.mark.parametrize(
    "line",
    ["a:b:1 1234 5 lib", f"a:b {'a' * 64} 5 lib", f"a:b:1 {'a' * 64} 0 lib", f"a:b:1 {'a' * 64} 5", CORE, ""],
)
def test_a_line_that_says_something_else_is_named_by_its_number(line: str) -> None:
    with pytest.raises(ConfigError, match=r"line 2"):
        read_lock(f"{CORE}\n{line}\n", NAME)


def test_a_lock_without_the_core_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"org\.opensearch:opensearch"):
        read_lock(f"a:b:1 {'a' * 64} 5 lib\n", NAME)


@pytest.mark.parametrize("text", [part.LOCK.read_text(encoding="utf-8") for part in (node, broker)])
def test_a_shipped_lock_is_sorted_and_has_no_address(text: str) -> None:
    assert text.splitlines() == sorted(text.splitlines())
    assert "//" not in text


def test_the_shipped_locks_have_all_that_we_use() -> None:
    wanted = {module.name for module in MODULES}
    lock = read_lock(node.LOCK.read_text(encoding="utf-8"), node.CORE, wanted)
    assert wanted <= {place for jar in lock.jars for place in jar.places}
    kafka: Lock = read_lock(broker.LOCK.read_text(encoding="utf-8"), broker.CORE)
    assert kafka.version[0] == "4"
