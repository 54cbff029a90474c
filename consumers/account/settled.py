"""Looking again until every line is accounted for."""

from collections.abc import Callable

from consumers.account.report import Account
from runtime.clock import Clock
from runtime.outage import Stop

LOOK_S = 2.0  # between two looks: of the five reads a second of a shard live takes three and cold one


def settled_account(
    take: Callable[[bool], Account],
    *,
    within_s: float,
    stop: Stop,
    clock: Clock,
    hopeless: Callable[[], bool] = lambda: False,
    seen: Callable[[Account], None] = lambda account: None,
) -> Account:
    """The account once it is settled; as it is when the time is over, `stop` is set, or waiting has become `hopeless`.

    `take(thorough)`: the looks on the way only count, the last one also looks for objects and locates what is missing.
    `seen` hears of each account on the way. Raises nothing of its own.
    """
    give_up_s = clock.monotonic() + within_s
    while within_s > 0:
        account = take(False)
        seen(account)
        if account.settled or clock.monotonic() >= give_up_s or hopeless():
            break
        if stop.wait(min(LOOK_S, max(0.0, give_up_s - clock.monotonic()))):
            break
    return take(True)
