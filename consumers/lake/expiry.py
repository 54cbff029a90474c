"""The duty that forgets the lake's old snapshots, so that what a commit rewrites and a reader lists stays small.

Rows are never touched: what goes is the list of what a table once was, and the lists of files that only it needed.
"""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from itertools import pairwise

from pyiceberg.io import FileIO
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from consumers.keeper.store import Outrun
from consumers.lake.catalogue import naming_trouble
from consumers.lake.store import LakeStore
from contract.tables import SPANNED
from runtime.clock import Clock
from runtime.effects import Effect, no_effect
from runtime.outage import Stop

_log = logging.getLogger(__name__)


class ExpiryDuty:
    """See `consumers.keeper.duties.Duty`. The newest snapshot of a table always stays."""

    name = "lake expiry"

    def __init__(self, store: LakeStore, *, keep_h: float, clock: Clock, effect: Effect = no_effect) -> None:
        self._store = store
        self._keep = dt.timedelta(hours=keep_h)
        self._clock = clock
        self._effect = effect
        self._expired = 0

    def prepare(self) -> None:
        self._store.prepare()

    def turn(self, check: Callable[[], None], stop: Stop) -> None:
        before = self._clock.now() - self._keep
        for table in SPANNED:
            if stop.is_set():
                return
            check()
            self._expire(self._store.table(table.name), before)

    def report(self) -> str:
        expired, self._expired = self._expired, 0
        return f"{self.name}: {expired} snapshots" if expired else ""

    def _expire(self, stored: IcebergTable, before: dt.datetime) -> None:
        """Forget, then delete: a crash in between leaves small objects that nothing refers to."""
        cut_ms = int(before.timestamp() * 1_000)
        history = sorted(stored.metadata.snapshots, key=lambda snapshot: snapshot.timestamp_ms)
        old = [s for s in history if s.timestamp_ms < cut_ms and s.snapshot_id != stored.metadata.current_snapshot_id]
        if not old:
            return
        with naming_trouble():
            unneeded = _only_needed_by(old, history, stored.io)
            try:
                stored.maintenance.expire_snapshots().older_than(before).commit()
            except Outrun:
                return  # changed in this very moment; the next turn finds it
            self._expired += len(old)
            for path in unneeded:
                self._effect(f"delete {path}")
                stored.io.delete(path)


def _only_needed_by(old: Sequence[Snapshot], history: Sequence[Snapshot], io: FileIO) -> list[str]:
    """Manifest lists and manifests of the snapshots `old` that no later one refers to, lists first.

    Tables only grow forwards, so a manifest that any kept snapshot has, the oldest kept one has too. Where history
    forks (a roll-back, a branch) that does not hold: then nothing is deleted.
    """
    kept = history[len(old) :]
    if list(old) != list(history[: len(old)]) or any(
        later.parent_snapshot_id != earlier.snapshot_id for earlier, later in pairwise(history)
    ):
        return []
    needed = {manifest.manifest_path for manifest in kept[0].manifests(io)}
    manifests = {manifest.manifest_path for snapshot in old for manifest in snapshot.manifests(io)}
    return [snapshot.manifest_list for snapshot in old] + sorted(manifests - needed)
