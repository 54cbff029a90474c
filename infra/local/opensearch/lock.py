"""`jars.lock`: every jar of the node, by coordinate, hash and size.

One line a jar, sorted: `group:artifact:version[:classifier] sha256 bytes places`. Places, separated by commas, are
`lib` or modules of the node. The lock holds every module of the distribution; `layout.MODULES` says which are used.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import ConfigError

LOCK = Path(__file__).with_name("jars.lock")

_LINE = re.compile(r"(?P<coordinate>\S+:\S+:\S+) (?P<sha256>[0-9a-f]{64}) (?P<size>[1-9]\d*) (?P<places>\S+)")
_CORE = "org.opensearch:opensearch:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One file to download."""

    coordinate: str
    sha256: str
    size: int  # bytes
    places: frozenset[str]

    @property
    def file_name(self) -> str:
        """What the jar is called where it is used: artifact-version[-classifier].jar."""
        return "-".join(self.coordinate.split(":")[1:]) + ".jar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What makes up one node."""

    version: str
    jars: tuple[Jar, ...]


def read_lock(text: str, modules: Collection[str]) -> Lock:
    """The lock, less the jars that none of `modules` uses. Raises ConfigError for a line that says something else."""
    jars: dict[str, Jar] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        found = _LINE.fullmatch(line)
        if not found or found["coordinate"] in jars:
            raise ConfigError(
                f"jars.lock line {number}: expected a new `coordinate sha256 bytes places`; restore the file"
            )
        places = frozenset(found["places"].split(","))
        jars[found["coordinate"]] = Jar(
            coordinate=found["coordinate"], sha256=found["sha256"], size=int(found["size"]), places=places
        )
    versions = [name.removeprefix(_CORE) for name in jars if name.startswith(_CORE)]
    if len(versions) != 1:
        raise ConfigError(f"jars.lock: expected one {_CORE}VERSION; restore the file")
    wanted = {"lib", *modules}
    return Lock(version=versions[0], jars=tuple(jar for jar in jars.values() if jar.places & wanted))
