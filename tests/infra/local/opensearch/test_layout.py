"""The folder that the node starts from."""

import hashlib
from pathlib import Path

import pytest

from infra.local.jars.download import cached
from infra.local.jars.lock import Jar, Lock
from infra.local.opensearch.layout import MODULES, lay_out, layout_of

pytestmark = pytest.mark.unit


def lock_with(content: bytes) -> Lock:
    places = frozenset({"lib", "reindex", "geo"})
    sha256 = hashlib.sha256(content).hexdigest()
    return Lock(version="3.8.0", jars=(Jar(coordinate="g:a:1", sha256=sha256, size=len(content), places=places),))


def test_jars_go_to_lib_and_to_the_modules_that_are_used(tmp_path: Path) -> None:
    lock = lock_with(b"a")
    cached(tmp_path, lock.jars[0]).write_bytes(b"a")
    target = layout_of(lock, tmp_path)

    lay_out(lock, tmp_path, target)

    assert (target / "lib" / "a-1.jar").read_bytes() == b"a"
    assert (target / "modules" / "reindex" / "a-1.jar").exists()
    assert {path.name for path in (target / "modules").iterdir()} == {module.name for module in MODULES}
    assert "classname=org.opensearch.index.reindex" in (
        target / "modules" / "reindex" / "plugin-descriptor.properties"
    ).read_text(encoding="utf-8")


def test_a_layout_that_fails_leaves_nothing_to_be_taken_for_whole(tmp_path: Path) -> None:
    lock = lock_with(b"a")  # not in the cache

    with pytest.raises(FileNotFoundError):
        lay_out(lock, tmp_path, layout_of(lock, tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_another_content_gets_another_layout(tmp_path: Path) -> None:
    assert layout_of(lock_with(b"a"), tmp_path) != layout_of(lock_with(b"b"), tmp_path)
