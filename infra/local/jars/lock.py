"""`jars.lock`: every jar of one program, by coordinate, hash and size.

One line a jar, sorted: `group:artifact:version[:classifier] sha256 bytes places`. Places, separated by commas, are
`lib` or modules of the program; a lock may hold more modules than are used.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from runtime.errors import ConfigError

_LINE = re.compile(r"(?P<coordinate>\S+:\S+:\S+) (?P<sha256>[0-9a-f]{64}) (?P<size>[1-9]\d*) (?P<places>\S+)")


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
    """What makes up one program."""

    version: str
    jars: tuple[Jar, ...]


def read_lock(text: str, core: str, modules: Collection[str] = ()) -> Lock:
    """The lock, less the jars that none of `modules` uses. Its version is that of the jar `core` (group:artifact).

    Raises ConfigError for a line that says something else.
    """
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
    versions = [name.removeprefix(f"{core}:") for name in jars if name.startswith(f"{core}:")]
    if len(versions) != 1:
        raise ConfigError(f"jars.lock: expected one {core}:VERSION; restore the file")
    wanted = {"lib", *modules}
    return Lock(version=versions[0], jars=tuple(jar for jar in jars.values() if jar.places & wanted))
