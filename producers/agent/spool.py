"""The files of one kind as a source of batches: finds them, knows them again, and takes their lines in turn."""

import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import msgspec

from producers.agent.archives import Archives
from producers.agent.batch import Batch, Host
from producers.agent.files import (
    HEAD_BYTES,
    FileKey,
    FileRecord,
    Found,
    hash_of_head,
    is_same_file,
    new_file_id,
)
from producers.agent.globs import Glob
from producers.agent.pack import RECORD_LIMIT, Origin, Packed, pack_all, pack_oversize, stamped
from producers.agent.put import Limits
from producers.agent.state import Kind, State
from producers.agent.tail import Line, LongLine, Run, Tail, tally
from producers.agent.unpack import Unpacked
from producers.agent.watch import Watch
from runtime.clock import Clock

SUFFIX = ".ndjson"  # of orders
# Long, because a file that comes back after it was forgotten is sent again as a new one: a volume mounted late, a
# backup restored.
FORGET_AFTER_S = 86_400.0
UNREADABLE_WAIT_S = 1.0  # a failing disk or a missing permission is no reason to hurry

_log = logging.getLogger(__name__)


class _Idle(NamedTuple):
    """How a file looked when nothing was left to read."""

    size: int
    modified_ns: int
    since_s: float  # monotonic


class Spool:
    """Reads behind the checkpoints in `state`. Opens a file only when it has changed, and keeps none open."""

    def __init__(
        self,
        globs: Sequence[Glob],
        state: State,
        *,
        kind: Kind,
        host: Host,
        limits: Limits,
        clock: Clock,
        token: Callable[[], str],
    ) -> None:
        """`token` gives at least 64 random bits as hex, other ones each time."""
        is_ours = kind == "order"
        self._watch = Watch(globs, lambda key: state.find(key) is not None, clock, is_ours=is_ours)
        self._archives = Archives(state)
        self._has_backlog = False
        self._state = state
        self._kind = kind
        self._host = host
        self._limits = limits
        self._clock = clock
        self._token = token
        self._tails: dict[FileKey, Tail] = {}
        self._idle: dict[FileKey, _Idle] = {}
        self._grown: set[FileKey] = set()  # seen to have another size than when they were last read
        self._missing_since: dict[FileKey, float] = {}
        self._resting: dict[FileKey, float] = {}  # unreadable until this monotonic time (s)
        self._last_taken = ""  # the file that was served last: the next batch begins after it
        self._unreadable: dict[str, str] = {}

    def next_batch(self, *, thorough: bool = False) -> Batch:
        """The lines that follow the checkpoints. The same ones again until the checkpoints move.

        `thorough`: of all files, not only of those that are likely to have some.
        New files are in `state` on return, not yet saved; originals of oversize lines are kept, durably.
        A file that cannot be read, or whose oversize line cannot be kept, rests a second in `unreadable` while the
        others go on; so does a folder that cannot be listed. Raises OSError, see Watch.
        """
        found, is_all = self._watch.look(thorough=thorough or self._has_backlog)
        if is_all:
            self._forget_all_but(found)
        batch = Batch(self._limits)
        self._archives.see_who_waits()
        for file in self._with_news(found):
            try:
                self._take_from(file, batch)
            except OSError as error:
                self._archives.close(file.key)
                self._let_rest(file, error)
            else:
                self._unreadable.pop(file.path, None)
            if batch.is_full:
                self._last_taken = file.path
                break
        batch.is_full |= self._archives.is_busy or self._archives.is_waited_for
        self._has_backlog = batch.is_full
        return batch

    @property
    def unreadable(self) -> dict[str, str]:
        """By path of a file or folder: why its lines cannot be taken now."""
        return {**self._watch.unlisted, **self._unreadable}

    def has_grown(self, key: FileKey) -> bool:
        """Whether there was more in a file, at the last look, than has been read: it is unreadable, or has to wait."""
        return key in self._grown

    def rests_for(self, key: FileKey) -> float:
        """For how long (s) there has been nothing more to read in a file: without end if it is gone."""
        if key in self._missing_since:
            return math.inf
        idle = self._idle.get(key)
        return self._clock.monotonic() - idle.since_s if idle else 0.0

    def _with_news(self, found: list[Found]) -> list[Found]:
        """Those that may hold lines to take, the ones after the file that was served last first."""
        turn = next((i for i, file in enumerate(found) if file.path > self._last_taken), 0)
        in_turn = found[turn:] + found[:turn]
        news = []
        for file in in_turn:
            idle = self._idle.get(file.key)
            if idle is None or idle[:2] != (file.size, file.modified_ns):
                self._idle.pop(file.key, None)
                self._note_size(file)
                news.append(file)
        return [file for file in news if not self._rests(file)]

    def _note_size(self, found: Found) -> None:
        record = self._state.find(found.key)
        if record is not None and record.packed is None and record.size != found.size:
            self._grown.add(found.key)

    def _take_from(self, found: Found, batch: Batch) -> None:
        before, was_archive = len(batch.lines), self._is_archive(found)
        is_done = self._take_from_either(found, batch)
        if self._is_archive(found) != was_archive:  # another file has got its number
            is_done = self._take_from_either(found, batch)
        if is_done and len(batch.lines) == before and not batch.is_full:
            self._idle[found.key] = _Idle(found.size, found.modified_ns, self._clock.monotonic())

    def _take_from_either(self, found: Found, batch: Batch) -> bool:
        """Whether it was read to its end."""
        if not self._is_archive(found):
            return self._take_from_text(found, batch)
        self._take_from_archive(found, batch)
        record = self._state.find(found.key)
        return record is not None and record.packed is not None and record.is_read

    def _is_archive(self, found: Found) -> bool:
        record = self._state.find(found.key)
        return found.is_named and found.is_packed if record is None else record.packed is not None

    def _take_from_text(self, found: Found, batch: Batch) -> bool:
        try:
            file = Path(found.path).open("rb", buffering=0)  # noqa: SIM115 closed below
        except FileNotFoundError:
            return False
        with file:
            status = os.fstat(file.fileno())
            if found.key != (status.st_dev, status.st_ino):  # another file took the name: the next look finds both
                return False
            self._take_lines(found, status.st_size, file, batch)
        return True

    def _take_from_archive(self, found: Found, batch: Batch) -> None:
        self._grown.discard(found.key)  # a text had its number
        try:
            text = self._archives.open(found)
        except FileNotFoundError:
            return
        if text is None:
            return
        file = cast(BinaryIO, text)
        self._take_lines(found, text.seek(0, os.SEEK_END), file, batch)
        if not batch.is_full:
            self._archives.close(found.key)
            if self._state.find(found.key) is None:
                self._archives.pass_over(found)

    def _rests(self, found: Found) -> bool:
        return self._resting.get(found.key, 0.0) > self._clock.monotonic()

    def _let_rest(self, found: Found, error: OSError) -> None:
        if self._unreadable.get(found.path) != str(error):
            _log.error("%s: waits: %s; the other files go on", found.printable, error.strerror or error)
        self._unreadable[found.path] = str(error)
        self._resting[found.key] = self._clock.monotonic() + UNREADABLE_WAIT_S

    def _take_lines(self, found: Found, size: int, file: BinaryIO, batch: Batch) -> None:
        file.seek(0)
        head = file.read(HEAD_BYTES)
        record = self._known(found, size, head, file)
        if record is None and (not found.is_named or (found.is_packed and not isinstance(file, Unpacked))):
            return  # another file in the place of one that was renamed, such as its compressed copy
        tail = self._tails.setdefault(found.key, Tail(longest=RECORD_LIMIT))
        origin: Origin | None = None
        end = record.offset if record else 0
        for run in tail.runs(file, end):
            if record is None:
                end = run.offset + (run.size if isinstance(run, LongLine) else len(run.contents[0])) + 1
                record = self._introduce(found, head[:end], is_packed=isinstance(file, Unpacked))
            origin = origin or self._origin(found, record)
            for packed in self._packed(origin, run, file):
                if not batch.take_all(packed):
                    self._note_end(record, size, -1)
                    return
                end = packed[-1].end
        if record is not None:
            self._note_end(record, file.tell(), end)  # the tail's last read ended there, and held no further LF
            self._grown.discard(found.key)

    def _note_end(self, record: FileRecord, size: int, lines_end: int) -> None:
        if (record.size, record.lines_end) != (size, lines_end):
            self._state.remember(msgspec.structs.replace(record, size=size, lines_end=lines_end))

    def _packed(self, origin: Origin, run: Run | LongLine, file: BinaryIO) -> Iterator[list[Packed]]:
        """The records of a run. What no record can hold is kept before its stand-in comes."""
        if isinstance(run, LongLine):
            yield [self._kept(origin, run, file)]
            return
        offset, contents = run
        while contents:
            packed = pack_all(origin, offset, contents)
            if packed:
                yield packed
                offset = packed[-1].end
            if len(packed) == len(contents):
                return
            line = Line(offset, contents[len(packed)])
            yield [self._kept(origin, LongLine.of(line), file)]
            offset, contents = offset + len(line.content) + 1, contents[len(packed) + 1 :]

    def _kept(self, origin: Origin, line: LongLine, file: BinaryIO) -> Packed:
        self._state.keep_refused(origin.file_id, line.offset, line.size, file)
        return pack_oversize(origin, line.offset, size=line.size, crc=line.crc, sha256=line.sha256)

    def _known(self, found: Found, size: int, head: bytes, file: BinaryIO) -> FileRecord | None:
        """The file's record, if it is still the file that it was."""
        record = self._state.find(found.key)
        if record is None:
            return None
        if not is_same_file(record, size, head):
            _log.warning("%s: truncated or replaced; read from its start as a new file", found.printable)
            self._drop(found.key)
            return None
        if record.crc_sum is None:
            lines, crc_sum = tally(file, record.offset)
            record = msgspec.structs.replace(record, acknowledged_lines=lines, crc_sum=crc_sum)
            self._state.remember(record)
        vouched = head[: record.offset]
        if len(vouched) > record.head_bytes or record.path != found.printable:
            vouched = max(vouched, head[: record.head_bytes], key=len)
            record = msgspec.structs.replace(
                record, head_bytes=len(vouched), head=hash_of_head(vouched), path=found.printable
            )
            self._state.remember(record)
        return record

    def _introduce(self, found: Found, head: bytes, *, is_packed: bool) -> FileRecord:
        device, inode = found.key
        record = FileRecord(
            file_id=new_file_id(self._host.instance, self._token),
            kind=self._kind,
            path=found.printable,
            device=device,
            inode=inode,
            crc_sum=0,
            head_bytes=len(head),
            head=hash_of_head(head),
            packed=found.signature if is_packed else None,
        )
        self._state.remember(record)
        return record

    def _origin(self, found: Found, record: FileRecord) -> Origin:
        read_at = stamped(self._clock.now())
        return Origin(self._kind, record.file_id, self._host.place_of(found.printable), read_at)

    def _forget_all_but(self, found: list[Found]) -> None:
        present = {file.key: file for file in found}
        self._archives.see(present)
        self._unreadable = {file.path: self._unreadable[file.path] for file in found if file.path in self._unreadable}
        for gone in self._tails.keys() - present.keys():
            del self._tails[gone]
            self._idle.pop(gone, None)
        self._resting = {key: until_s for key, until_s in self._resting.items() if key in present}
        now = self._clock.monotonic()
        missing = [key for key in self._state.followed() if key not in present]
        for key in missing:
            if key not in self._missing_since:
                self._say_if_unread(key)
        self._missing_since = {key: self._missing_since.get(key, now) for key in missing}
        for key, since in self._missing_since.items():
            if now - since >= FORGET_AFTER_S:
                self._drop(key)

    def _say_if_unread(self, key: FileKey) -> None:
        record = self._state.find(key)
        assert record is not None
        if key in self._grown:
            self._grown.discard(key)
            record = msgspec.structs.replace(record, lines_end=-1)
            self._state.remember(record)
        if not record.is_read and record.crc_sum is not None:
            _log.error("%s: gone before it was read to its end, from byte %d on", record.path, record.offset)

    def _drop(self, key: FileKey) -> None:
        self._state.forget(key)
        self._grown.discard(key)
        self._tails.pop(key, None)
        self._idle.pop(key, None)
