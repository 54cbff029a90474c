"""Which port each part listens on."""

import errno
import random
import socket
from collections.abc import Collection, Iterable, Mapping

from runtime.errors import ConfigError

HOST = "127.0.0.1"

# Below Linux's ephemeral range (ip_local_port_range, 32768 and up): while a part restarts, no outgoing connection
# can be given its port, and a client that keeps knocking cannot connect to itself.
_FREE = range(20000, 32000)
_TRIES = 200


def parse(options: Iterable[str], names: Iterable[str]) -> dict[str, int]:
    """`NAME=PORT` options as a mapping; 0 asks for a free port. Raises ConfigError for what is neither."""
    known = tuple(names)
    wanted: dict[str, int] = {}
    for option in options:
        name, _, number = option.partition("=")
        if name not in known:
            raise ConfigError(f"--port {option}: no part is called {name!r}; the parts are {', '.join(known)}")
        if not number.isdecimal() or int(number) > 65535:
            raise ConfigError(f"--port {option}: write it as {name}=PORT, PORT from 0 (any free one) to 65535")
        wanted[name] = int(number)
    return wanted


def choose(
    names: Iterable[str], wanted: Mapping[str, int], rng: random.Random, *, taken: Collection[int] = ()
) -> dict[str, int]:
    """A port for each of `names`: the wanted one, else a free one that is not in `taken`.

    Raises ConfigError when a wanted one is in use.
    """
    chosen: dict[str, int] = {}
    for name in names:
        port = wanted.get(name, 0)
        if not port:
            continue
        if port in chosen.values():
            raise ConfigError(f"port {port} is asked for twice; give {name} another one with --port {name}=PORT")
        why = _refusal(port)
        if why:
            raise ConfigError(f"port {port} for {name} {why}; choose another with --port {name}=PORT (0: any free one)")
        chosen[name] = port
    for name in names:
        if name not in chosen:
            chosen[name] = _free(rng, {*taken, *chosen.values()})
    return chosen


def _free(rng: random.Random, taken: Collection[int]) -> int:
    for port in rng.sample(_FREE, _TRIES):
        if port not in taken and _refusal(port) is None:
            return port
    raise ConfigError(f"no free port between {_FREE.start} and {_FREE.stop}; end what listens there")


def _refusal(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections that linger do not count
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return None
