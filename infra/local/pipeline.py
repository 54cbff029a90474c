"""The pipeline's own processes, as parts of a stack: what a team runs beside its shop and on its cluster."""

import sys
from collections.abc import Mapping, Sequence

from infra.local.home import Home
from infra.local.parts import BEHIND, HttpReady, Part
from infra.local.ports import HOST

AGENT, LIVE, COLD, KEEPER = "agent", "live", "cold", "keeper"
BOARD, STOREFRONT, SHOPPERS = "board", "storefront", "shoppers"
PORTS = (STOREFRONT, BOARD)  # the parts that people open

# A demo lasts a minute, and history is to be seen in it: seconds, where the defaults are tens of them.
HURRIED = {
    "STOREPULSE_COLD_SPAN_S": "3",
    "STOREPULSE_KEEPER_LAKE_CADENCE": "3",
    "STOREPULSE_KEEPER_WAREHOUSE_CADENCE": "3",
    "STOREPULSE_KEEPER_CONFLICTS_CADENCE": "6",
}


def agent(home: Home) -> Part:
    return _part(home, AGENT, "producers", "agent")


def live(home: Home) -> Part:
    # An open batch is bounded; 30 s covers a store that answers slowly while live ends in good order.
    return _part(home, LIVE, "consumers", "live", grace_s=30.0)


def cold(home: Home, environ: Mapping[str, str] = HURRIED) -> Part:
    # At its end it puts what it holds of each shard; 30 s covers an S3 that is slow to take it.
    return _part(home, COLD, "consumers", "cold", environ=environ, grace_s=30.0, nice=BEHIND)


def keeper(home: Home, environ: Mapping[str, str] = HURRIED) -> Part:
    # It ends between two commits.
    return _part(home, KEEPER, "consumers", "keeper", environ=environ, grace_s=30.0, nice=BEHIND)


def board(home: Home, *, port: int) -> Part:
    return _served(home, BOARD, "dashboards", port)


def storefront(home: Home, *, port: int) -> Part:
    return _served(home, STOREFRONT, "producers", port)


def shoppers(home: Home, shop_url: str, count: int) -> Part:
    """`count` people, twenty more each second until all have come."""
    command = (sys.executable, "-m", "locust", "-f", "loadtests/shopper.py", "--headless", "--only-summary")
    return Part(name=SHOPPERS, command=(*command, "-H", shop_url, "-u", str(count), "-r", "20"), url=shop_url)


def last_lines(home: Home, *, within_s: float) -> Sequence[str]:
    """The command that sends what the agent has left, and says of every file that it is done with it."""
    return _command(home, "producers", "drain", "--timeout", f"{within_s:g}")


def account(home: Home, *options: str) -> Sequence[str]:
    """The command that compares what was emitted with what the stores hold."""
    return _command(home, "consumers", "account", *options)


def _served(home: Home, name: str, package: str, port: int) -> Part:
    url = f"http://{HOST}:{port}"
    environ = {f"STOREPULSE_{name.upper()}_PORT": str(port)}
    return _part(home, name, package, name, environ=environ, ready=HttpReady(url=f"{url}/health"), url=url)


def _part(
    home: Home,
    name: str,
    package: str,
    verb: str,
    *,
    environ: Mapping[str, str] | None = None,
    ready: HttpReady | None = None,
    url: str = "",
    grace_s: float = 15.0,
    nice: int = 0,
) -> Part:
    command = _command(home, package, verb)
    return Part(name=name, command=command, environ=environ or {}, ready=ready, url=url, grace_s=grace_s, nice=nice)


def _command(home: Home, package: str, verb: str, *options: str) -> Sequence[str]:
    return (sys.executable, "-m", package, verb, "--settings", str(home.settings_file), *options)
