"""What lies in the bucket: whole snapshots, and those that are refused."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from consumers.reference.parquet import Corrupt, check_part, customer_list_of, price_list_of
from contract.reference import FORMAT, Kind, Snapshot, folder, in_order, summary_key
from runtime.objects import Objects

_log = logging.getLogger(__name__)

_PUBLISHING = timedelta(minutes=10)  # takes a minute for five million customers

Loaded = Any  # PriceList or CustomerList, as its kind says

JUDGED_BY: Mapping[Kind, Callable[[Snapshot, Sequence[bytes]], Loaded]] = {
    "catalogue": price_list_of,
    "customers": customer_list_of,
}


class Published:
    """The snapshots of one kind. Safe from any thread."""

    def __init__(self, objects: Objects, kind: Kind) -> None:
        self.kind = kind
        self._objects = objects
        self._seen: dict[str, Snapshot | None] = {}  # by version; None: refused. Replaced as a whole
        self._unfinished: dict[str, datetime | None] = {}  # without a summary, since when; None: it was said
        self._lock = threading.Lock()

    def look(self, now: datetime) -> bool:
        """Read what is new. Returns whether something is. Raises Outage: what is known stays."""
        is_new = False
        for version in self._objects.folders(folder(self.kind)):
            if version not in self._seen:
                try:
                    summary = self._objects.get(summary_key(self.kind, version))
                except KeyError:
                    self._wait_for(version, now)
                    continue
                snapshot = self._read(version, summary)
                self._remember(version, snapshot)
                is_new = is_new or snapshot is not None
        return is_new

    @property
    def snapshots(self) -> list[Snapshot]:
        """Those that count, by the time from which they judge."""
        return in_order([snapshot for snapshot in self._seen.values() if snapshot])

    def load(self, snapshot: Snapshot) -> Loaded | None:
        """What it holds; None, with an error in the log, for a corrupt one, which counts no more. Raises Outage."""
        bodies = []
        try:
            for part in snapshot.parts:
                body = self._objects.get(part.key)
                check_part(part, body)
                bodies.append(body)
            return JUDGED_BY[self.kind](snapshot, bodies)
        except KeyError as error:
            self._refuse(snapshot.version, f"{error} is absent")
        except Corrupt as error:
            self._refuse(snapshot.version, str(error))
        return None

    def _read(self, version: str, summary: bytes) -> Snapshot | None:
        try:
            snapshot = msgspec.json.decode(summary, type=Snapshot)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._refuse(version, "its summary is none")
            return None
        trouble = ""
        if snapshot.format != FORMAT:
            trouble = f"its format is {snapshot.format}; this release reads {FORMAT}"
        elif (snapshot.kind, snapshot.version) != (self.kind, version):
            trouble = f"its summary is of {snapshot.kind} {snapshot.version}"
        elif snapshot.effective_at.tzinfo is None:
            trouble = "its effective_at has no zone"
        if trouble:
            self._refuse(version, trouble)
        return None if trouble else snapshot

    def _wait_for(self, version: str, now: datetime) -> None:
        """It is on its way, and does not count; or abandoned, which somebody has to hear of, once."""
        since = self._unfinished.setdefault(version, now)
        if since is not None and now - since > _PUBLISHING:
            self._unfinished[version] = None
            _log.error(
                "%s %s is half written for %s, the one before it stays in force: publish it again",
                self.kind,
                version,
                now - since,
            )

    def _refuse(self, version: str, why: str) -> None:
        _log.error("%s %s is refused, the one before it stays in force: %s", self.kind, version, why)
        self._remember(version, None)

    def _remember(self, version: str, snapshot: Snapshot | None) -> None:
        with self._lock:
            self._seen = {**self._seen, version: snapshot}
