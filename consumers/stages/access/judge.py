"""The stages of the access stream in a row."""

from collections.abc import Mapping
from datetime import datetime

from consumers.delivery import Batch, Record, Shard
from consumers.stages.access.agents import rules_version
from consumers.stages.access.decode import decode_access
from consumers.stages.access.hit import Request
from consumers.stages.access.rows import HitRows
from consumers.stages.access.site import Site, load_site
from consumers.stages.events import Fault, Unreadable
from consumers.stages.facts import ALWAYS
from consumers.stages.heartbeats import heartbeat_row
from consumers.stages.identity import identity_of_access
from consumers.stages.judge import Judged
from consumers.stages.rows import Arrival, Shop, ShopFacts, letter_row
from contract.heartbeat import Heartbeat
from contract.reasons import Reason
from contract.rows import LetterRow


class AccessJudge:
    """Makes hits of lines. A request id is no identity: a client may send one. See `Judge`."""

    def __init__(self, shop: Shop, site: Site | None = None) -> None:
        """`site` None: the demo shop's rules."""
        self._site = site or load_site()
        self._shop = shop
        self._rows: dict[str, HitRows] = {}  # by key; replaced as a whole
        self._reference = {"site_rules": self._site.version, "user_agents": rules_version()}

    def reference(self, first: datetime, last: datetime) -> Mapping[str, str]:
        return {"identity_key": self._shop.key_ids(first, last), **self._reference}

    def judge(self, batch: Batch) -> list[Judged]:
        shard, since, until = batch.shard, ALWAYS, ALWAYS
        judged = []
        for record in batch.records:
            if not since <= record.arrived_at < until:
                shop = self._shop.at(record.arrived_at)
                since, until, row_of = shop.since, shop.until, self._rows_by(shop).row
            read = decode_access(record.data)
            if isinstance(read, Request):
                stamp, event_id = read.stamp, identity_of_access(read, record.data, shard.shard_id, record.position)
                judged.append(Judged(row_of(read.hit, stamp, event_id, record.arrived_at), stamp))
            else:
                judged.append(_of_no_request(read, shard, record))
        return judged

    def _rows_by(self, shop: ShopFacts) -> HitRows:
        """What makes rows by this key: shards that are on either side of a rotation alternate between two."""
        rows = self._rows.get(shop.key.key_id)
        if rows is None:
            rows = HitRows(shop, self._site)
            self._rows = {**dict(list(self._rows.items())[-1:]), shop.key.key_id: rows}
        return rows

    def letter_of(self, reason: Reason, detail: str, shard: Shard, record: Record) -> LetterRow:
        read = decode_access(record.data)
        assert not isinstance(read, Heartbeat)
        return _letter(Fault(reason, [detail]), read, shard, record)


def _of_no_request(read: Heartbeat | Unreadable, shard: Shard, record: Record) -> Judged:
    if isinstance(read, Heartbeat):
        return Judged(heartbeat_row(read, record.arrived_at), read.sp)
    return Judged(_letter(read.fault, read, shard, record), read.stamp)


def _letter(fault: Fault, read: Request | Unreadable, shard: Shard, record: Record) -> LetterRow:
    return letter_row(
        [fault],
        identity_of_access(read, record.data, shard.shard_id, record.position),
        Arrival(shard.shard_id, record.position, record.arrived_at),
        event_type="access",
        order_id=None,
        stamp=read.stamp,
    )
