"""Along the chains: what should be in the buckets is named where it is not."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.account.chains import Link, links_since, missing_objects
from consumers.account.testing.memory import NOON
from consumers.manifests import START, DataFile, Manifest, RawFile, manifest_key
from contract.tables import VERSION
from runtime.objects.testing import MemoryObjects

pytestmark = pytest.mark.unit

SHARD = "shardId-000000000000"
MINUTE = dt.timedelta(minutes=1)
FIRST_NUMBER = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_001
STEP = 10**40  # between two manifests


def manifest(number: int) -> Manifest:
    """The manifest of minute `number`."""
    at = NOON + number * MINUTE
    span = f"span{number}"
    data = DataFile(
        table="orders", day=at.date(), key=f"data/orders/{SHARD}-{span}.parquet", bytes=1, rows=1, sha256=""
    )
    return Manifest(
        span_id=span,
        application="cold",
        stream="transactions",
        shard_id=SHARD,
        previous=place_of(number),
        last=place_of(number + 1),
        records=1,
        first_arrived_at=at,
        last_arrived_at=at,
        data=[data],
        raw=[RawFile(key=f"raw/{SHARD}-{span}.zst", bytes=1, records=1, sha256="")],
        letters=[RawFile(key=f"letters/{SHARD}-{span}.zst", bytes=1, records=1, sha256="")],
        written_at=at,
        worker="w",
    )


def place_of(number: int) -> int:
    return START if number == 0 else FIRST_NUMBER + number * STEP


def key_of(number: int) -> str:
    return manifest_key("cold", SHARD, place_of(number))


def chain(count: int) -> MemoryObjects:
    objects = MemoryObjects()
    for number in range(count):
        objects.put(key_of(number), msgspec.json.encode(manifest(number)))
    objects.log.clear()
    return objects


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def links(objects: MemoryObjects, pool: Executor, since: dt.datetime = NOON, taken: int = START) -> list[Link]:
    return list(links_since(objects, "cold", SHARD, since, pool, taken))


def test_a_whole_chain_comes_in_order(pool: Executor) -> None:
    found = links(chain(200), pool, taken=place_of(200))
    assert [(link.key, link.manifest) for link in found] == [(key_of(n), manifest(n)) for n in range(200)]


@given(count=st.integers(1, 60), first=st.integers(0, 70), taken=st.integers(0, 60))
def test_only_what_is_young_enough_comes_whichever_hint(pool: Executor, count: int, first: int, taken: int) -> None:
    found = links(chain(count), pool, since=NOON + first * MINUTE, taken=place_of(min(taken, count)))
    assert [link.key for link in found] == [key_of(n) for n in range(first, count)]


def test_years_of_manifests_are_not_read(pool: Executor) -> None:
    objects = chain(5_000)
    assert len(links(objects, pool, since=NOON + 4_998 * MINUTE, taken=place_of(4_999))) == 2
    assert sum(request.startswith("get") for request in objects.log) < 40
    assert sum(request.startswith("keys") for request in objects.log) < 60


@pytest.mark.parametrize("number", [0, 4])
def test_a_manifest_that_is_gone_is_named_where_the_chain_goes_on(pool: Executor, number: int) -> None:
    objects = chain(10)
    objects.delete(key_of(number))
    found = links(objects, pool, taken=place_of(10))
    assert [link.key for link in found] == [key_of(n) for n in range(10)]
    assert [link.key for link in found if link.manifest is None] == [key_of(number)]


def test_the_end_of_a_chain_that_a_store_has_taken_is_missed(pool: Executor) -> None:
    objects = chain(10)
    objects.delete(key_of(9))
    assert [link.manifest for link in links(objects, pool, taken=place_of(9))] == [manifest(n) for n in range(9)]
    (gone,) = [link for link in links(objects, pool, taken=place_of(10)) if link.manifest is None]
    assert gone.key == key_of(9)


def test_a_chain_that_is_gone_as_a_whole_is_missed(pool: Executor) -> None:
    assert links(MemoryObjects(), pool) == []
    assert [link.key for link in links(MemoryObjects(), pool, taken=place_of(3))] == [key_of(0)]


@pytest.mark.parametrize("content", [b"", b"no json", b"{}"])
def test_what_is_no_manifest_is_named(pool: Executor, content: bytes) -> None:
    objects = chain(3)
    objects.put(key_of(1), content)
    found = links(objects, pool, taken=place_of(3))
    assert [(link.key, link.manifest is None) for link in found] == [
        (key_of(0), False),
        (key_of(1), True),
        (key_of(2), False),
    ]


def test_manifests_of_older_releases_are_read_and_newer_ones_named(pool: Executor) -> None:
    objects = chain(3)
    older = msgspec.structs.replace(manifest(1), version=VERSION - 1)
    newer = msgspec.structs.replace(manifest(2), version=VERSION + 1)
    objects.put(key_of(1), msgspec.json.encode(older))
    objects.put(key_of(2), msgspec.json.encode(newer))
    found = links(objects, pool, taken=place_of(3))
    assert [link.manifest for link in found] == [manifest(0), older, None]
    assert found[2].trouble == "of a newer release"


def filled(manifests: list[Manifest]) -> tuple[MemoryObjects, MemoryObjects]:
    lake, restricted = MemoryObjects(), MemoryObjects()
    for each in manifests:
        for data in each.data:
            lake.put(data.key, b"")
        for raw in (*each.raw, *each.letters):
            restricted.put(raw.key, b"")
    return lake, restricted


@pytest.mark.parametrize("count", [1, 30])
def test_every_object_that_is_gone_is_named_and_no_other(count: int) -> None:
    manifests = [manifest(n) for n in range(count)]
    lake, restricted = filled(manifests)
    listed = [(f"m{n}", each) for n, each in enumerate(manifests)]
    assert list(missing_objects(listed, lake, restricted)) == []
    lake.delete(manifests[0].data[0].key)
    restricted.delete(manifests[-1].raw[0].key)
    restricted.delete(manifests[-1].letters[0].key)
    assert sorted(missing_objects(listed, lake, restricted)) == [
        (manifests[0].data[0].key, "m0", "orders"),
        (manifests[-1].letters[0].key, f"m{count - 1}", "letters"),
        (manifests[-1].raw[0].key, f"m{count - 1}", "raw"),
    ]
    assert [each.table for each in missing_objects(listed, lake, None)] == ["orders"]


def test_many_objects_are_looked_for_with_few_requests() -> None:
    manifests = [manifest(n) for n in range(300)]
    lake, restricted = filled(manifests)
    lake.log.clear()
    list(missing_objects([("m", each) for each in manifests], lake, restricted))
    assert len(lake.log) == 1
