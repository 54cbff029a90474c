"""`state.json`: what runs, for `status` and `down`."""

from typing import Literal

import msgspec
import psutil

from infra.local.home import Home
from runtime.whole_file import write_whole

Condition = Literal["starting", "ready", "restarting", "stopped", "failed"]

# psutil derives create times from the boot time, in clock ticks of 10 ms.
_SAME_S = 0.1


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """A process that cannot be mistaken for a later one with the same pid."""

    pid: int
    created: float  # seconds since the epoch

    def process(self) -> psutil.Process | None:
        """The process if it still runs; None once it has ended, whoever has its pid now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _SAME_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class PartState(msgspec.Struct, frozen=True, kw_only=True):
    """One part. `condition` failed: it died too often, or never became ready."""

    name: str
    condition: Condition
    process: ProcessState | None = None
    restarts: int = 0
    url: str = ""
    log: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor and its parts."""

    supervisor: ProcessState
    parts: list[PartState] = []


def process_state(pid: int) -> ProcessState | None:
    """The running process `pid`; None once it has ended."""
    try:
        return ProcessState(pid=pid, created=psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def read_state(home: Home) -> State | None:
    """What was written last; None when nothing was, or when it cannot be read: then nothing is known to run."""
    try:
        return msgspec.json.decode(home.state_file.read_bytes(), type=State)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def write_state(home: Home, state: State) -> None:
    """Replace `state.json` in one step."""
    write_whole(home.state_file, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")


def memory_mib(process: psutil.Process) -> int:
    """Proportional set size of a process and its descendants, MiB; 0 once it has ended."""
    total = 0
    try:
        for member in [process, *process.children(recursive=True)]:
            total += member.memory_full_info().pss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        pass
    return total >> 20
