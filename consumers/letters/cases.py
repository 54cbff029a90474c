"""Letters as people work on them: a case a line, with every refusal of it, and what became of it."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple

from consumers.account.chains import links_since
from consumers.letters.accepted import Accepted, Stored
from consumers.letters.ledger import Ledger
from consumers.letters.letter import Kind, Letter, letters_in
from consumers.manifests import Manifest
from consumers.spans.chain import shards_of
from runtime.objects import Objects

_READERS = 16


class State(StrEnum):
    """What became of a case."""

    OPEN = "open"  # refused, and never sent again
    ON_ITS_WAY = "on its way"  # sent again, no verdict yet
    REFUSED_AGAIN = "refused again"
    MENDED = "mended"  # accepted since


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line that was refused."""

    letters: tuple[Letter, ...]  # its refusals that were found, by attempt
    attempts: tuple[int, ...] = ()  # that were claimed
    behind: str | None = None  # the line that counts, where it is a second one of its event
    is_unsent: bool = False  # the last attempt was claimed, and nobody knows whether it was sent
    accepted: Accepted | None = None
    state: State = State.OPEN

    @property
    def newest(self) -> Letter:
        return self.letters[-1]

    @property
    def name(self) -> str:
        return self.newest.name

    @property
    def next_attempt(self) -> int:
        return max((self.newest.attempt, *self.attempts)) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which cases are meant; what is not said leaves all in. Reasons and time are those of the newest refusal."""

    ids: Sequence[str] = ()  # letter ids, or names of lines
    reasons: frozenset[str] = frozenset()
    until: dt.datetime | None = None  # not included
    sources: Sequence[str] = ()  # file ids, hosts, or host/path with `*`
    order_ids: frozenset[str] = frozenset()
    states: frozenset[State] = frozenset()

    def fits(self, case: Case, since: dt.datetime) -> bool:
        """All but the state."""
        letter = case.newest
        return (
            (not self.ids or letter.letter_id in self.ids or letter.name in self.ids)
            and (not self.reasons or not self.reasons.isdisjoint(letter.reasons))
            and since <= letter.arrived_at
            and (self.until is None or letter.arrived_at < self.until)
            and (not self.sources or any(_is_from(letter, source) for source in self.sources))
            and (not self.order_ids or letter.order_id in self.order_ids)
        )


@dataclass(slots=True, kw_only=True)
class Shelf:
    """Where letters lie. Every method may raise Outage, ConfigError."""

    lake: Objects
    restricted: Objects
    applications: Sequence[str]  # cold's
    access_stream: str
    notes: list[str] = field(default_factory=list)  # what could not be read, for people

    def letters(self, since: dt.datetime) -> Iterator[Letter]:
        """Every refusal that arrived at `since` or later, by shard."""
        with ThreadPoolExecutor(_READERS, thread_name_prefix="letters") as pool:
            for application in self.applications:
                for shard_id in shards_of(self.lake, application):
                    for link in links_since(self.lake, application, shard_id, since, pool):
                        if link.manifest is None:
                            self.notes.append(f"manifest {link.key} {link.trouble}: its letters are not among these")
                        elif link.manifest.letters:
                            yield from self.letters_of(link.manifest)

    def letters_of(self, manifest: Manifest) -> Iterator[Letter]:
        """The refusals of one span."""
        kind: Kind = "access" if manifest.stream == self.access_stream else "order"
        for file in manifest.letters:
            try:
                yield from list(letters_in(manifest, file, self.restricted.get(file.key), kind))
            except KeyError:
                self.notes.append(f"{file.key} is gone: originals are kept for 30 days")
            except ValueError as error:
                self.notes.append(f"{file.key}: {error}")


class Found(NamedTuple):
    """What a look gave."""

    cases: list[Case]  # those that fit, oldest first
    refused: Mapping[str, int]  # of every line that was refused again, whether or not it fits: its newest attempt


def find_cases(letters: Iterable[Letter], wanted: Filter, since: dt.datetime, stored: Stored, ledger: Ledger) -> Found:
    """Raises Outage, ConfigError."""
    by_name: dict[str, dict[int, Letter]] = {}
    for letter in letters:
        turns = by_name.setdefault(letter.name, {})
        turns.setdefault(_turn_of(letter, turns), letter)
    cases = in_line([Case(letters=tuple(turns[turn] for turn in sorted(turns))) for turns in by_name.values()])
    refused = {case.name: case.newest.attempt for case in cases if case.newest.attempt}
    cases = judged([case for case in cases if wanted.fits(case, since)], stored, ledger)
    if wanted.states:
        cases = [case for case in cases if case.state in wanted.states]
    return Found(sorted(cases, key=lambda case: (case.newest.arrived_at, case.name)), refused)


def in_line(cases: Sequence[Case]) -> list[Case]:
    """The cases, each second line of an event behind the first one, which counts: by the order of
    `consumers.identities`. To send another would leave the first one dead, and two rows of the second."""
    firsts: dict[tuple[Kind, str], Case] = {}
    for case in sorted(cases, key=lambda case: rank_of(case.letters[0])):
        firsts.setdefault((case.newest.kind, case.newest.letter_id), case)
    behind = {case.name: firsts[case.newest.kind, case.newest.letter_id].name for case in cases}
    return [case if behind[case.name] == case.name else replace(case, behind=behind[case.name]) for case in cases]


def rank_of(letter: Letter) -> tuple[dt.datetime, str, int]:
    """Where a line stands among those of its event, by its first refusal."""
    stamp = letter.stamp
    return (letter.arrived_at, stamp.f, stamp.o) if stamp else (letter.arrived_at, "", 0)


def judged(cases: Sequence[Case], stored: Stored, ledger: Ledger) -> list[Case]:
    """The cases with what became of them. Raises Outage, ConfigError."""
    newest = [case.newest for case in cases]
    if not newest:
        return []
    accepted, attempts = stored.lines(newest), ledger.attempts(newest)
    return [_with_state(case, accepted, tuple(attempts.get(case.name, ())), ledger) for case in cases]


def _with_state(case: Case, accepted: Mapping[str, Accepted], attempts: tuple[int, ...], ledger: Ledger) -> Case:
    letter, last, is_unsent = case.newest, max(attempts, default=0), False
    if case.name in accepted:
        state = State.MENDED
    elif last > letter.attempt:
        sent = ledger.read(letter, last)
        sent_at = sent.sent_at if sent else None
        # A foreign producer's record has no stamp to count attempts in.
        is_judged = letter.stamp is None and sent_at is not None and letter.arrived_at > sent_at
        state = State.REFUSED_AGAIN if is_judged else State.ON_ITS_WAY
        is_unsent = sent_at is None
    else:
        state = State.REFUSED_AGAIN if letter.attempt else State.OPEN
    return replace(case, attempts=attempts, is_unsent=is_unsent, accepted=accepted.get(case.name), state=state)


def _turn_of(letter: Letter, known: Mapping[int, Letter]) -> int:
    """Where a refusal stands among those of its line: by its attempt; foreign ones as they came."""
    if letter.stamp is not None:
        return letter.attempt
    return next((turn for turn, other in known.items() if other.arrived_at == letter.arrived_at), len(known))


def _is_from(letter: Letter, source: str) -> bool:
    stamp = letter.stamp
    if stamp is None:
        return False
    host = stamp.h.partition("/")[0]
    return source in (stamp.f, stamp.h, host) or fnmatchcase(stamp.h, source)
