"""What can happen to a lease in one worker's hands, as a table: a move that is not in it raises and changes nothing."""

from enum import Enum, auto

from consumers.delivery import LeaseLost


class State(Enum):
    """Of one acquisition, from the answer to its take on."""

    HELD = auto()  # ours, as far as we can know
    ENDED = auto()  # still ours; the shard is finished, and its checkpoint says so
    EXPIRED = auto()  # not renewed for a failover time: others may take it, whether they did or not
    LOST = auto()  # another's, or nobody's: the table said so
    RETURNED = auto()  # given back by us


class Event(Enum):
    """What a worker does with a lease, or learns about it."""

    RENEW = auto()
    CHECKPOINT = auto()
    END = auto()  # SHARD_END is stored
    RUN_OUT = auto()  # the failover time has passed on our own clock
    ROB = auto()  # the table names another owner, or refused a write
    RETURN = auto()


# Whatever is not here is illegal. What is over stays over: a later acquisition begins anew with HELD. A finished shard
# takes no checkpoint, or it would be read again beside its children; that it has ended may be said twice, because the
# answer may be lost.
MOVES: dict[State, dict[Event, State]] = {
    State.HELD: {
        Event.RENEW: State.HELD,
        Event.CHECKPOINT: State.HELD,
        Event.END: State.ENDED,
        Event.RUN_OUT: State.EXPIRED,
        Event.ROB: State.LOST,
        Event.RETURN: State.RETURNED,
    },
    State.ENDED: {
        Event.RENEW: State.ENDED,
        Event.END: State.ENDED,
        Event.RUN_OUT: State.EXPIRED,
        Event.ROB: State.LOST,
        Event.RETURN: State.RETURNED,
    },
    State.EXPIRED: {Event.RUN_OUT: State.EXPIRED, Event.ROB: State.LOST},
    State.LOST: {Event.RUN_OUT: State.LOST, Event.ROB: State.LOST},
    State.RETURNED: {Event.RUN_OUT: State.RETURNED, Event.ROB: State.RETURNED},
}
OURS = frozenset({State.HELD, State.ENDED})


class IllegalMove(LeaseLost):
    """The lease is not in a state for this: stop, and do not checkpoint."""


def moved(state: State, event: Event) -> State:
    """The state after `event`. Raises IllegalMove."""
    try:
        return MOVES[state][event]
    except KeyError:
        raise IllegalMove(f"{event.name.lower()} of a lease that is {state.name.lower()}") from None
