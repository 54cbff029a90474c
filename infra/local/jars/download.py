"""Fetches jars into a cache where every file is what its name says: the SHA-256 of its content."""

import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from infra.local.home import MIB, Home
from infra.local.jars.lock import Jar, Lock
from runtime.errors import ConfigError

# (jar, folder to put it in, called with each count of bytes that came) -> path of the file
Fetch = Callable[[Jar, Path, Callable[[int], None]], Path]

_AT_ONCE = 6
_TIMEOUT_S = 30


def fetched(
    lock: Lock, name: str, home: Home, console: Console, stop: threading.Event, fetch: Fetch | None = None
) -> Path:
    """Download what is missing of `lock`, with progress under the program's `name`. Returns the cache that holds it.

    Raises what `download` does.
    """
    cache = home.downloads / "jars"
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    total = sum(jar.size for jar in lock.jars)
    console.print(f"downloading {name} {lock.version}, {total // MIB} MiB, once", highlight=False)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{name} {lock.version}", total=total)
        download(lock.jars, cache, stop=stop, advance=lambda count: progress.advance(task, count), fetch=fetch)
    return cache


def link(source: Path, target: Path) -> None:
    """Make `target` the same file, or a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


def download(
    jars: Sequence[Jar],
    cache: Path,
    *,
    stop: threading.Event,
    advance: Callable[[int], None],
    fetch: Fetch | None = None,
) -> None:
    """Make sure that `cache` holds all of `jars`. `advance` is called with bytes done, up to the sum of sizes.

    A file enters the cache only after its hash was found right, so what is there is never read again; what an
    interrupted run has fetched stays. Raises ConfigError for a wrong hash and for a failed download, click.Abort when
    `stop` is set.
    """
    fetch = fetch or _from_repository
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / "partial"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second stack that shares the cache waits, and then finds all done
        shutil.rmtree(partial, ignore_errors=True)

        def one(jar: Jar) -> None:
            if stop.is_set():
                raise click.Abort
            if cached(cache, jar).exists():
                advance(jar.size)
            else:
                _keep(jar, cache, fetch(jar, partial, lambda count: _advance(count, stop, advance)))

        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                futures = [pool.submit(one, jar) for jar in jars]
                try:
                    for future in futures:
                        future.result()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def cached(cache: Path, jar: Jar) -> Path:
    """Where `jar` is in the cache, if it is there."""
    return cache / f"{jar.sha256}.jar"


def _advance(count: int, stop: threading.Event, advance: Callable[[int], None]) -> None:
    if stop.is_set():
        raise click.Abort
    advance(count)


def _keep(jar: Jar, cache: Path, path: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        path.unlink()
        raise ConfigError(
            f"{jar.coordinate}: the download has the wrong hash (sha256 {found[:12]}..., locked {jar.sha256[:12]}...)"
            " and was deleted; try again, and if it repeats look at what stands between you and the package registry"
        )
    path.replace(cached(cache, jar))


def _from_repository(jar: Jar, folder: Path, advance: Callable[[int], None]) -> Path:
    import requests
    from jgo.maven import MavenContext
    from jgo.maven._resolver import PythonResolver  # jgo is pinned for this name

    def progress(_name: str, _size: int) -> AbstractContextManager[Callable[[int], None]]:
        return nullcontext(advance)

    context = MavenContext(
        resolver=PythonResolver(progress_callback=progress), repo_cache=folder, local_repos=[], timeout=_TIMEOUT_S
    )
    group, artifact, version, *classifier = jar.coordinate.split(":")
    component = context.project(group, artifact).at_version(version)
    try:
        return Path(component.artifact(classifier="".join(classifier)).resolve())
    except (requests.RequestException, RuntimeError) as error:  # RuntimeError: no repository has it
        raise ConfigError(
            f"{jar.coordinate}: download failed ({type(error).__name__}); check the network and run it again:"
            " what has come is kept"
        ) from error
