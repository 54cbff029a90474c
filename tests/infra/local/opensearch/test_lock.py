"""The lock file of the node's jars."""

import pytest

from infra.local.opensearch.layout import MODULES
from infra.local.opensearch.lock import LOCK, read_lock
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

CORE = f"org.opensearch:opensearch:3.8.0 {'a' * 64} 10 lib"


def test_a_line_becomes_a_jar_named_by_artifact_version_and_classifier() -> None:
    line = f"io.netty:netty-codec:4.2:linux-x86_64 {'b' * 64} 123 transport,lib"

    lock = read_lock(f"{CORE}\n{line}\n", ["transport"])

    assert lock.version == "3.8.0"
    jar = lock.jars[1]
    assert (jar.file_name, jar.size) == ("netty-codec-4.2-linux-x86_64.jar", 123)
    assert jar.places == {"transport", "lib"}


def test_jars_of_modules_that_are_not_used_are_not_downloaded() -> None:
    lock = read_lock(f"{CORE}\na:b:1 {'b' * 64} 1 geo\nc:d:1 {'c' * 64} 1 geo,reindex\n", ["reindex"])

    assert [jar.coordinate for jar in lock.jars] == ["org.opensearch:opensearch:3.8.0", "c:d:1"]


@pytest.mark.parametrize(
    "line",
    ["a:b:1 1234 5 lib", f"a:b {'a' * 64} 5 lib", f"a:b:1 {'a' * 64} 0 lib", f"a:b:1 {'a' * 64} 5", CORE, ""],
)
def test_a_line_that_says_something_else_is_named_by_its_number(line: str) -> None:
    with pytest.raises(ConfigError, match=r"line 2"):
        read_lock(f"{CORE}\n{line}\n", [])


def test_a_lock_without_the_core_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"org\.opensearch:opensearch"):
        read_lock(f"a:b:1 {'a' * 64} 5 lib\n", [])


def test_the_shipped_lock_is_sorted_and_has_every_module_that_we_use_and_no_address() -> None:
    text = LOCK.read_text(encoding="utf-8")
    lines = text.splitlines()

    lock = read_lock(text, [module.name for module in MODULES])

    assert lines == sorted(lines)
    assert "//" not in text
    assert {module.name for module in MODULES} <= {place for jar in lock.jars for place in jar.places}
