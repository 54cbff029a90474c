"""A lake that is in use gains a table: what was taken is not read again, and nothing is passed over."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from consumers.lake import store as lake_store
from consumers.lake.memory import memory_of
from consumers.lake.store import LakeStore
from consumers.lake.testing import AT, DAY, OwnLake, spans_of
from consumers.manifests import Manifest
from consumers.warehouse.testing import SpanWriter, hit, lines_of, order
from contract.tables import HITS, SPANNED
from runtime.errors import ConfigError

pytestmark = pytest.mark.integration

OLD = tuple(table for table in SPANNED if table is not HITS)
SHOP, SITE = ("cold", "s-0"), ("cold-access", "s-0")


@contextmanager
def release_without_hits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(lake_store, "SPANNED", OLD)
        yield


def taken_before(lake: OwnLake, spans: Sequence[Manifest]) -> None:
    """A release without hits prepares the lake and takes these."""
    with release_without_hits():
        lake.store().take(spans)


def of_orders(lake: OwnLake, count: int, *, shard_id: str = "s-0") -> list[Manifest]:
    """Spans as an older release writes them."""
    writer, spans = SpanWriter(lake.objects, shard_id=shard_id), []
    for number in range(count):
        row = order(f"{shard_id}-{number}", day=DAY, arrived_at=AT, line=(shard_id, number))
        spans.append(writer.write({"orders": [row], "lines": lines_of(row)}))
    return spans


def of_hits(lake: OwnLake, count: int) -> list[Manifest]:
    """Spans of the access stream."""
    application, shard_id = SITE
    writer = SpanWriter(lake.objects, application=application, shard_id=shard_id)
    rows = [hit(f"h-{number}", day=DAY, arrived_at=AT, line=("a", number)) for number in range(count)]
    return [writer.write({"hits": [row]}) for row in rows]


def hits_of(lake: OwnLake) -> list[str]:
    return [str(row["event_id"]) for row in lake.rows("SELECT event_id FROM hits ORDER BY 1")]


def counted(lake: OwnLake, table: str) -> int:
    return int(lake.rows(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"])


def test_what_was_taken_is_not_taken_again_and_what_follows_is(lake: OwnLake) -> None:
    spans = [*of_orders(lake, 3), *of_orders(lake, 2, shard_id="s-1")]
    taken_before(lake, spans)
    store = lake.store()
    assert store.taken() == {SHOP: 3, ("cold", "s-1"): 2}
    site, more = of_hits(lake, 2), _following(lake, spans[2])
    store.take([more, *site])
    assert store.taken() == {SHOP: 4, ("cold", "s-1"): 2, SITE: 2}
    assert lake.orders() == dict.fromkeys(("s-0-0", "s-0-1", "s-0-2", "s-1-0", "s-1-1", "new"), 1)
    assert (hits_of(lake), counted(lake, "lines")) == (["h-0", "h-1"], 6)


def _following(lake: OwnLake, last: Manifest) -> Manifest:
    row = order("new", day=DAY, arrived_at=AT, line=("n", 1))
    written = SpanWriter(lake.objects, shard_id="n").write({"orders": [row], "lines": lines_of(row)})
    return replace(written, shard_id=last.shard_id, previous=last.last, last=last.last + 1)


def test_a_shard_whose_tables_were_apart_begins_where_the_last_of_them_is(lake: OwnLake) -> None:
    class Killed(BaseException):
        pass

    def die(effect: str) -> None:
        if effect == "swap account":
            raise Killed

    first, second = of_orders(lake, 2)
    taken_before(lake, [first])
    with release_without_hits(), pytest.raises(Killed):
        lake.unprepared(die).take([second])
    store = lake.store()
    assert store.taken() == {SHOP: 1}
    store.take([second])
    assert store.taken() == {SHOP: 2}
    assert set(lake.orders().values()) == {1}


def test_hits_that_an_older_keeper_passed_over_are_taken_all_the_same(lake: OwnLake) -> None:
    shop, site = of_orders(lake, 2), of_hits(lake, 3)
    taken_before(lake, [*shop, *site[:2]])
    store = lake.store()
    assert store.taken() == {SHOP: 2}  # of the access stream nothing is taken by all tables
    store.take(site)
    assert store.taken() == {SHOP: 2, SITE: 3}
    assert hits_of(lake) == ["h-0", "h-1", "h-2"]
    assert set(lake.orders().values()) == {1}


def test_hits_among_the_rows_of_another_application_are_no_reason_to_read_it_again(lake: OwnLake) -> None:
    taken_before(lake, of_orders(lake, 2))
    of_hits(lake, 1)  # cold was upgraded first
    assert lake.store().taken() == {SHOP: 2}


def test_an_older_keeper_that_goes_on_beside_the_new_table_leaves_no_hole(lake: OwnLake) -> None:
    shop, site = of_orders(lake, 3), of_hits(lake, 2)
    taken_before(lake, shop[:1])
    store = lake.store()
    with release_without_hits():
        lake.unprepared().take([*shop[1:], *site])
    assert store.taken() == {SHOP: 1}
    store.take([*shop[1:], *site])
    assert store.taken() == {SHOP: 3, SITE: 2}
    assert hits_of(lake) == ["h-0", "h-1"]
    assert set(lake.orders().values()) == {1}


def test_a_table_with_rows_that_the_catalogue_has_lost_is_filled_from_the_start(lake: OwnLake) -> None:
    store = lake.store()
    spans = spans_of(lake, 2)
    store.take(spans)
    store.table("hits").catalog.drop_table((lake.settings.database, "hits"))
    store.prepare()
    assert store.taken() == {}
    store.take(spans)
    assert store.taken() == {SHOP: 2}
    assert len(hits_of(lake)) == 2
    assert set(lake.orders().values()) == {1}


def test_beside_a_table_that_cannot_be_read_nothing_is_presumed(lake: OwnLake) -> None:
    spans = of_orders(lake, 2)
    taken_before(lake, spans)
    with release_without_hits():
        store = lake.unprepared()
        gone, before = store.table("lines"), dict(store.taken())
        lake.objects.delete(gone.metadata_location.removeprefix(f"s3://{lake.settings.bucket}/"))
    assert before == {SHOP: 2}
    store = lake.store()
    assert memory_of(store.table("hits").properties) == {}
    store.take(spans)
    assert store.taken() == {SHOP: 2}
    assert set(lake.orders().values()) == {1}


def test_the_upgrade_is_one_step_and_asking_for_it_changes_nothing(lake: OwnLake) -> None:
    taken_before(lake, of_orders(lake, 1))
    store: LakeStore = lake.unprepared()
    for _ in range(2):
        assert store.bring_up_to_date(dry_run=True) == ["table hits"]
    with pytest.raises(ConfigError, match=r"has no table .*hits: `python -m consumers migrate`"):
        store.taken()
    assert store.bring_up_to_date() == ["table hits"]
    assert store.bring_up_to_date() == []
