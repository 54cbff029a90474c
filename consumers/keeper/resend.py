"""The duty that sends letters again by itself: those that a newer list of prices or customers may have mended."""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from consumers.account.chains import links_since
from consumers.letters.accepted import Stored
from consumers.letters.cases import Case, Shelf, State, judged, rank_of
from consumers.letters.ledger import Ledger
from consumers.letters.letter import Letter
from consumers.letters.plan import Fate, Planner
from consumers.letters.sending import Sender
from consumers.manifests import Manifest
from consumers.reference.published import Published
from consumers.spans.chain import Chain, shards_of
from contract import reference
from contract.reasons import Reason
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Stop

_log = logging.getLogger(__name__)

_MOST_WAITING = 100_000  # letters in memory, some 100 MB; those beyond are left to people
_MOST_FIRSTS = 100_000  # of them only what a second line is known by, some 50 MB; the oldest are forgotten
_READERS = 8

# Which list may mend it.
_MENDED_BY: Mapping[str, reference.Kind] = {
    Reason.UNKNOWN_SKU: "catalogue",
    Reason.STALE_PRICE: "catalogue",
    Reason.UNKNOWN_CUSTOMER: "customers",
}


class _First(NamedTuple):
    """The line of an event that counts, as far as others are compared with it: most letters are for people alone."""

    rank: tuple[dt.datetime, str, int]
    name: str


class ResendDuty:
    """See `consumers.keeper.duties.Duty`.

    A letter waits here if all its reasons are retryable. It is sent once another list is in force than the one that it
    was judged by, and `first_wait_s` after its refusal, twice as long after each further one. `grace_h` after its first
    refusal it is left to people. What is remembered is read from the chains of manifests again after a start.
    """

    name = "letters"

    def __init__(
        self,
        shelf: Shelf,
        ledger: Ledger,
        stored: Stored,
        sender: Sender,
        published: Sequence[Published],
        *,
        ready: Callable[[], None],
        first_wait_s: float,
        grace_h: float,
        clock: Clock,
    ) -> None:
        """`ready` sees that the lake can be asked, and raises ConfigError, Outage."""
        self._ready = ready
        self._shelf = shelf
        self._ledger = ledger
        self._stored = stored
        self._sender = sender
        self._published = {each.kind: each for each in published}
        self._first_wait = dt.timedelta(seconds=first_wait_s)
        self._grace = dt.timedelta(hours=grace_h)
        self._clock = clock
        self._ends: dict[tuple[str, str], int] = {}  # the last sequence seen, by application and shard
        self._waiting: dict[str, Case] = {}  # by name of the line
        self._firsts: dict[str, _First] = {}  # by letter id
        self._sent = 0

    def prepare(self) -> None:
        self._ready()

    def turn(self, check: Callable[[], None], stop: Stop) -> None:
        for published in self._published.values():
            published.look(self._clock.now())
        fault = self._walk()
        now = self._clock.now()
        self._waiting = {
            name: case for name, case in self._waiting.items() if case.letters[0].arrived_at + self._grace > now
        }
        due = [case for case in self._waiting.values() if self._is_due(case, now)]
        self._send(due, check, stop)
        if fault is not None:
            raise fault

    def report(self) -> str:
        sent, self._sent = self._sent, 0
        return f"{self.name}: {sent} sent again, {len(self._waiting)} waiting" if sent or self._waiting else ""

    def _walk(self) -> ConfigError | None:
        """Take in what was refused since the last turn. Returns the trouble of a chain: it hides no other."""
        fault: ConfigError | None = None
        for application in self._shelf.applications:
            for shard_id in shards_of(self._shelf.lake, application):
                try:
                    for manifest in self._new(application, shard_id):
                        for letter in self._shelf.letters_of(manifest) if manifest.letters else ():
                            self._take(letter)
                        self._ends[application, shard_id] = manifest.last
                except ConfigError as error:
                    fault = error
        for note in self._shelf.notes:
            _log.warning("letters: %s", note)
        self._shelf.notes.clear()
        return fault

    def _new(self, application: str, shard_id: str) -> Iterator[Manifest]:
        end = self._ends.get((application, shard_id))
        if end is not None:
            yield from Chain(self._shelf.lake, application, shard_id).after(end)
            return
        since = self._clock.now() - self._grace
        with ThreadPoolExecutor(_READERS, thread_name_prefix="letters") as pool:
            for link in links_since(self._shelf.lake, application, shard_id, since, pool):
                if link.manifest is None:
                    raise ConfigError(f"manifest {link.key} {link.trouble}: restore it; letters after it wait")
                yield link.manifest

    def _take(self, letter: Letter) -> None:
        known = self._waiting.get(letter.name)
        if known is not None and letter.attempt <= known.newest.attempt:
            return  # delivered twice
        if self._is_second(letter):  # of an event whose first line is the one to send
            return
        is_first = letter.attempt == 0
        if not all(reason in _MENDED_BY for reason in letter.reasons) or (known is None and not is_first):
            # For people; as is one whose first refusal was before all that is looked at.
            self._waiting.pop(letter.name, None)
        elif known is not None:
            self._waiting[letter.name] = Case(letters=(known.letters[0], letter))
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting[letter.name] = Case(letters=(letter,))

    def _is_second(self, letter: Letter) -> bool:
        """Whether another line of its event came before it; that one's own letter waits, or is for people."""
        if letter.letter_id not in self._firsts and len(self._firsts) >= _MOST_FIRSTS:
            del self._firsts[next(iter(self._firsts))]
        own = _First(rank=rank_of(letter), name=letter.name)
        first = self._firsts.setdefault(letter.letter_id, own)
        if first.name == own.name:
            return False
        if letter.attempt == 0 and own.rank < first.rank:
            self._firsts[letter.letter_id] = own
            self._waiting.pop(first.name, None)
            return False
        return True

    def _is_due(self, case: Case, now: dt.datetime) -> bool:
        letter = case.newest
        if now < letter.arrived_at + self._first_wait * 2**letter.attempt:
            return False
        kinds = {_MENDED_BY[reason] for reason in letter.reasons}
        return any(self._version(kind, letter.arrived_at) != self._version(kind, now) for kind in kinds)

    def _version(self, kind: reference.Kind, at: dt.datetime) -> str | None:
        """Of the snapshot in force at a time."""
        in_force = [each.version for each in self._published[kind].snapshots if each.effective_at <= at]
        return in_force[-1] if in_force else None

    def _send(self, due: Sequence[Case], check: Callable[[], None], stop: Stop) -> None:
        cases = judged(due, self._stored, self._ledger)
        for case in cases:
            if case.state is State.MENDED:
                del self._waiting[case.name]
        refused = {name: case.newest.attempt for name, case in self._waiting.items() if case.newest.attempt}
        planner = Planner(self._shelf.restricted, self._ledger, self._stored, self._clock)
        for items in planner.chunks(cases, None):
            if stop.is_set():
                return
            check()
            chosen = [item for item in items if item.fate is Fate.PASSES]
            if chosen:
                self._sent += self._sender.send(chosen, None, refused).stored
