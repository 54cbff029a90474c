"""What runs on a home, as found by looking at the processes and not at what was written of them alone."""

import msgspec

from infra.local.home import Home
from infra.local.state import Condition, PartState, memory_mib, read_state


class PartReport(msgspec.Struct, frozen=True, kw_only=True):
    """One part. `memory_mib`: proportional set size with all its processes."""

    name: str
    condition: Condition
    pid: int | None
    url: str
    restarts: int
    memory_mib: int
    log: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A stack. Nothing is `ready` while it is not `running`."""

    home: str
    running: bool
    ready: bool
    supervisor_pid: int | None
    supervisor_memory_mib: int  # its own, without the parts
    settings_file: str
    parts: list[PartReport]


def report(home: Home) -> Report:
    """Look at the processes that `state.json` names."""
    state = read_state(home)
    supervisor = state.supervisor.process() if state else None
    parts = [_part(part) for part in state.parts] if state and supervisor else []
    parts_mib = sum(part.memory_mib for part in parts)
    return Report(
        home=str(home.root),
        running=supervisor is not None,
        ready=bool(parts) and all(part.condition == "ready" for part in parts),
        supervisor_pid=supervisor.pid if supervisor else None,
        supervisor_memory_mib=memory_mib(supervisor) - parts_mib if supervisor else 0,
        settings_file=str(home.settings_file),
        parts=parts,
    )


def _part(part: PartState) -> PartReport:
    process = part.process.process() if part.process else None
    return PartReport(
        name=part.name,
        condition=part.condition if process or part.condition != "ready" else "restarting",
        pid=process.pid if process else None,
        url=part.url,
        restarts=part.restarts,
        memory_mib=memory_mib(process) if process else 0,
        log=part.log,
    )
