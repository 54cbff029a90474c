"""A command that is run to its end while a stack runs."""

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import IO

from infra.local.executor import bind_to
from infra.local.home import PROJECT, Home
from infra.local.leftovers import MARKER

_LOOK_S = 0.1
GRACE_S = 15.0  # between SIGTERM and SIGKILL


def run_errand(
    command: Sequence[str],
    *,
    home: Home,
    stop: threading.Event,
    hopeless: Callable[[], bool] = lambda: False,
    output: IO[bytes] | None = None,
    errors: IO[bytes] | None = None,
) -> int:
    """Run `command`; its exit code, below 0 for a signal. It gets SIGTERM once `stop` is set or it is `hopeless`.

    Its output goes to `output`, its error output to `errors`; None: where ours goes. It ends with us, however we end.
    """
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, MARKER: str(home.root)},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        preexec_fn=partial(bind_to, os.getpid()),
    )
    try:
        while not (stop.is_set() or hopeless()):
            try:
                return process.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                continue
        process.terminate()
        return process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        process.kill()
        process.wait()
    return process.returncode
