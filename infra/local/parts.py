"""A part of the stack, as data: one process, how to start it and how to know that it is ready."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.home import PROJECT

BEHIND = 10  # `nice` of what makes history: where one machine has too little for all, the board comes first


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReady:
    """Ready when a GET of `url` on loopback is answered with a status that matches `status` (regular expression)."""

    url: str
    status: str = r"^2\d\d$"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpReady:
    """Ready when `port` on loopback takes connections."""

    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of the stack. It is restarted with the same command, and so on the same port, when it dies."""

    name: str
    command: Sequence[str]
    ready: HttpReady | TcpReady | None = None  # None: as soon as it runs
    environ: Mapping[str, str] = field(default_factory=dict)  # beside the supervisor's own
    cwd: Path = PROJECT
    url: str = ""  # for people; empty: nothing to open
    start_s: float = 90.0  # longest wait until ready; OpenSearch took 36 s after kill -9 on loaded cores
    grace_s: float = 15.0  # between SIGTERM and SIGKILL
    nice: int = 0  # 1 to 19 for what may wait while processors are short
