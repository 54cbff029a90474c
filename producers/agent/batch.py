"""What is taken from files at once, and for whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from producers.agent.pack import Packed
from producers.agent.put import Limits

_LONGEST_PLACE = 4_096  # bytes; Linux allows a path no more, but what is no UTF-8 in it takes up to thrice as many


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Who sends."""

    name: str  # in every stamp's path
    instance: str  # begins every file id

    def place_of(self, path: str) -> str:
        """host/path, for people; cut to the length of a column."""
        return f"{self.name}/{path.lstrip('/')}".encode()[:_LONGEST_PLACE].decode("utf-8", "ignore")


class Batch:
    """What a stream takes at once, from any number of files; each file's lines are in order, without a gap."""

    def __init__(self, limits: Limits) -> None:
        self.lines: list[Packed] = []
        self.is_full = False  # more may be waiting
        self._limits = limits
        self._bytes = 0

    def take_all(self, lines: Sequence[Packed]) -> bool:
        """As many of them as there is room for, from the first on; at least one is given. Whether that was all."""
        *_, keys, data = zip(*lines, strict=True)
        size = sum(map(len, keys)) + sum(map(len, data))
        if len(self.lines) + len(lines) > self._limits.lines or self._bytes + size > self._limits.bytes:
            return all(self.take(line) for line in lines)
        self.lines += lines
        self._bytes += size
        return True

    def take(self, line: Packed) -> bool:
        """Whether there was room for it."""
        size = len(line.data) + len(line.key)
        self.is_full = len(self.lines) == self._limits.lines or self._bytes + size > self._limits.bytes
        if not self.is_full:
            self.lines.append(line)
            self._bytes += size
        return not self.is_full
