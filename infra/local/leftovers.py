"""Processes that outlived their supervisor."""

from collections.abc import Sequence

import psutil

from infra.local.home import Home
from infra.local.state import read_state

# In the environment of every part, and so of every process that a part starts; the value is the home.
MARKER = "STOREPULSE_PART_OF"

_GRACE_S = 10.0


def end_leftovers(home: Home) -> int:
    """End what is left of an earlier stack on this folder: SIGTERM, then SIGKILL. Returns how many there were.

    To be called only while no supervisor runs. A process counts if it carries the folder's marker, or if
    `state.json` names it and it was created when that says: a pid alone proves nothing.
    """
    found = {process.pid: process for process in [*_marked(home), *_named(home)]}
    left = list(found.values())
    for signal_all in (psutil.Process.terminate, psutil.Process.kill):
        for process in left:
            try:
                signal_all(process)
            except psutil.NoSuchProcess:
                continue
        _, left = psutil.wait_procs(left, timeout=_GRACE_S)
    return len(found)


def _marked(home: Home) -> Sequence[psutil.Process]:
    marked = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == str(home.root):
                marked.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue  # gone, or another user's and so none of ours
    return marked


def _named(home: Home) -> Sequence[psutil.Process]:
    state = read_state(home)
    processes = [part.process.process() for part in state.parts if part.process] if state else []
    return [process for process in processes if process]
