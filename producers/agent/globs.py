"""Which names in which folders are followed."""

import fnmatch
import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from runtime.errors import ConfigError

PACKED_SUFFIXES = (".gz", ".zst")
# Compressed as well, but not by anything that we can read: never lines of text.
_FOREIGN_SUFFIXES = (".bz2", ".xz", ".zip", ".Z", ".lz4")
_WILD = re.compile(r"[*?\[]")


class Glob(NamedTuple):
    """Files by name in a folder, whose own path may have wildcards too (`**`: any depth)."""

    folder: str  # absolute
    name: str

    @classmethod
    def of(cls, text: str) -> "Glob":
        """Raises ConfigError for what cannot name a file."""
        folder, name = os.path.split(os.path.abspath(text) if text else "")  # noqa: PTH100 a glob is no path
        if not name or text.endswith("/"):
            raise ConfigError(f"{text!r}: names no file; such as /var/log/nginx/*access.log")
        return cls(folder, name)

    @property
    def is_wild(self) -> bool:
        """Whether it may name several folders."""
        return bool(_WILD.search(self.folder))

    @property
    def asks_for_packed(self) -> bool:
        return self.name.endswith(PACKED_SUFFIXES)

    def folders(self) -> list[str]:
        """Those that are there now; the one that it names, there or not, if it names just one."""
        if not self.is_wild:
            return [self.folder]
        found = glob.glob(self.folder, recursive=True)  # noqa: PTH207 Path.glob has no absolute patterns
        return [folder for folder in found if Path(folder).is_dir()]

    def packed(self) -> list["Glob"]:
        """The compressed files that rotation makes of its own: `access.log` -> `access.log*.gz` ..."""
        return [] if self.asks_for_packed else [Glob(self.folder, f"{self.name}*{end}") for end in PACKED_SUFFIXES]

    def __str__(self) -> str:
        return os.path.join(self.folder, self.name)  # noqa: PTH118 a glob is no path


class Names:
    """The names that one folder's globs ask for."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._plain = _any_of([p for p in patterns if not p.endswith(PACKED_SUFFIXES)])
        self._packed = _any_of([p for p in patterns if p.endswith(PACKED_SUFFIXES)])

    def match(self, name: str) -> bool:
        """A wildcard alone does not ask for compressed files: a glob has to end as they do."""
        if name.endswith(PACKED_SUFFIXES):
            return bool(self._packed.match(name))
        return bool(self._plain.match(name)) and not name.endswith(_FOREIGN_SUFFIXES)


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)) or r"(?!)")
