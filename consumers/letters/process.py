"""Looking at letters and sending them again, the parts put together."""

import datetime as dt
import getpass
import random
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.read import LakeReader
from consumers.lake.store import LakeStore
from consumers.letters.accepted import LakeStored, Stored
from consumers.letters.cases import Filter, Found, Shelf, find_cases
from consumers.letters.ledger import Ledger
from consumers.letters.outcome import Outcome
from consumers.letters.outlets import outlet_of
from consumers.letters.plan import Fate, Item, Planner
from consumers.letters.resent import Mend
from consumers.letters.sending import Sender
from consumers.letters.settings import LettersSettings
from consumers.reference.judges import Judges
from consumers.settings import Cold
from runtime.aws import client
from runtime.clock import Clock
from runtime.objects.s3 import S3Objects
from runtime.outage import Stop
from runtime.settings import Aws, Lake, Streams

_CONNECTIONS = 32


class Looking(Protocol):
    """The settings that a look takes."""

    @property
    def aws(self) -> Aws: ...
    @property
    def streams(self) -> Streams: ...
    @property
    def lake(self) -> Lake: ...
    @property
    def cold(self) -> Cold: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that a look takes."""

    shelf: Shelf
    ledger: Ledger
    stored: Stored

    def find(self, wanted: Filter, since: dt.datetime) -> Found:
        """The cases that are wanted. Raises Outage, ConfigError."""
        return find_cases(self.shelf.letters(since), wanted, since, self.stored, self.ledger)


def desk_of(settings: Looking) -> Desk:
    """Clients; nothing is asked yet. Raises ConfigError."""
    s3 = client("s3", settings.aws, connections=_CONNECTIONS)
    restricted = S3Objects(s3, settings.lake.restricted_bucket)
    shelf = Shelf(
        lake=S3Objects(s3, settings.lake.bucket),
        restricted=restricted,
        applications=[settings.cold.application, settings.cold.access_application],
        access_stream=settings.streams.access,
    )
    reader = LakeReader(LakeStore(LakeCatalogue(settings.aws), settings.lake))
    return Desk(shelf=shelf, ledger=Ledger(restricted), stored=LakeStored(reader))


def sender_of(settings: LettersSettings, desk: Desk, rate: float, stop: Stop, clock: Clock) -> Sender:
    """Sends as whoever runs this. Raises ConfigError."""
    return Sender(
        desk.ledger,
        lambda kind: outlet_of(kind, settings.streams, settings.aws, settings.kafka),
        by=_whoami(),
        per_s=rate,
        clock=clock,
        rng=random.Random(),
        stop=stop,
    )


def work(
    desk: Desk,
    judges: Judges,
    found: Found,
    mend: Mend | None,
    sender: Sender | None,
    clock: Clock,
    *,
    even_refused: bool = False,
    on_done: Callable[[int], None] = lambda cases: None,
    stop: Stop | None = None,
) -> Outcome:
    """Plan every case, and send those that would pass; `sender` None: nothing is sent. `even_refused`: those too that
    would be refused again. Raises Outage, ConfigError: what was sent by then is on its way, the rest is as it was.
    """
    outcome = Outcome()
    planner = Planner(desk.shelf.restricted, desk.ledger, desk.stored, clock, judges)
    for items in planner.chunks(found.cases, mend):
        outcome.plan(items)
        chosen = _to_send(items, even_refused)
        if sender is not None and chosen:
            outcome.send(sender.send(chosen, mend, found.refused))
        on_done(len(items))
        if stop is not None and stop.is_set():
            if left := len(found.cases) - outcome.found:
                outcome.held_up["stopped before it"] += left
            break
    return outcome


def _to_send(items: Sequence[Item], even_refused: bool) -> list[Item]:
    fates = {Fate.PASSES, Fate.REFUSED} if even_refused else {Fate.PASSES}
    return [item for item in items if item.fate in fates and item.made is not None]


def _whoami() -> str:
    user = "somebody"
    with suppress(OSError, KeyError):
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()}"
