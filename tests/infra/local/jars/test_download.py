"""Jars come in whole and right, or not at all."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from infra.local.jars.download import cached, download
from infra.local.jars.lock import Jar
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


class Registry:
    """Serves the content that it was given, in two pieces, and counts what it was asked for."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def __call__(self, jar: Jar, folder: Path, advance: Callable[[int], None]) -> Path:
        self.asked.append(jar.coordinate)
        content = self.contents[jar.coordinate]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / jar.file_name
        path.write_bytes(content[:3])
        advance(3)
        path.write_bytes(content)
        advance(len(content) - 3)
        return path


def jar(coordinate: str, content: bytes) -> Jar:
    sha256 = hashlib.sha256(content).hexdigest()
    return Jar(coordinate=coordinate, sha256=sha256, size=len(content), places=frozenset({"lib"}))


CONTENTS = {"g:a:1": b"content of a", "g:b:1": b"content of b"}
JARS = [jar(coordinate, content) for coordinate, content in CONTENTS.items()]


def files(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()} - {"lock"}


def test_every_jar_is_in_the_cache_under_its_hash_and_progress_adds_up(tmp_path: Path) -> None:
    counts: list[int] = []

    download(JARS, tmp_path, stop=threading.Event(), advance=counts.append, fetch=Registry(CONTENTS))

    assert files(tmp_path) == {cached(tmp_path, jar).name for jar in JARS}
    assert cached(tmp_path, JARS[0]).read_bytes() == b"content of a"
    assert sum(counts) == sum(jar.size for jar in JARS)


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path: Path) -> None:
    download(JARS[:1], tmp_path, stop=threading.Event(), advance=lambda _: None, fetch=Registry(CONTENTS))
    registry, counts = Registry(CONTENTS), list[int]()

    download(JARS, tmp_path, stop=threading.Event(), advance=counts.append, fetch=registry)

    assert registry.asked == ["g:b:1"]
    assert sum(counts) == sum(jar.size for jar in JARS)


def test_a_wrong_hash_names_the_jar_and_deletes_the_file_and_keeps_the_others(tmp_path: Path) -> None:
    registry = Registry({**CONTENTS, "g:b:1": b"something else"})

    with pytest.raises(ConfigError, match=r"^g:b:1: .*wrong hash.*deleted; try again") as caught:
        download(JARS, tmp_path, stop=threading.Event(), advance=lambda _: None, fetch=registry)

    assert "\n" not in str(caught.value)
    assert files(tmp_path) == {cached(tmp_path, JARS[0]).name}


def test_a_partial_file_of_a_killed_run_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / JARS[0].file_name).write_bytes(b"con")

    download(JARS, tmp_path, stop=threading.Event(), advance=lambda _: None, fetch=Registry(CONTENTS))

    assert cached(tmp_path, JARS[0]).read_bytes() == b"content of a"


def test_a_stop_between_two_pieces_ends_the_download(tmp_path: Path) -> None:
    stop = threading.Event()

    with pytest.raises(click.Abort):
        download(JARS, tmp_path, stop=stop, advance=lambda _: stop.set(), fetch=Registry(CONTENTS))

    assert files(tmp_path) <= {cached(tmp_path, jar).name for jar in JARS}
