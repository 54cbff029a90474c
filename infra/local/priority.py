"""Standing behind others where processors are short.

A nice value alone weighs little: Linux groups the processes of a session, and weighs the sessions against each other
first (man 7 sched, "The autogroup feature"). Each part of a stack is a session, and each of PostgreSQL's backends.
"""

import os
from contextlib import suppress
from pathlib import Path


def stand_behind(nice: int) -> None:
    """This process and what it starts, with its session; 0 changes nothing."""
    if nice:
        os.nice(nice)
        session_behind(os.getpid(), nice)


def session_behind(pid: int, nice: int) -> None:
    """The session of that process; nothing where the system groups none, or the process is gone."""
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice), encoding="ascii")
