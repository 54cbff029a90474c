"""A bucket in memory whose trouble a test decides on, and the suite that it and every real bucket pass."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Protocol, TypeVar

import pytest

from runtime.objects import Objects
from runtime.outage import Outage
from runtime.testing import ManualClock


class Fault(Enum):
    """What may go wrong with one request."""

    BEFORE = "nothing came of it"
    AFTER = "it took effect, the answer was lost"
    SLOW_DOWN = "refused for now: too many requests"
    SLOW = "it takes long"


T = TypeVar("T")

Trouble = Callable[[str, str], Fault | None]  # of an operation (the method's name) and a key or prefix


class MemoryObjects:
    """A bucket in memory; safe from any thread. `stored` is what is in it, `log` each request: operation and key."""

    def __init__(self, *, clock: ManualClock | None = None, slow_s: float = 20.0) -> None:
        self.stored: dict[str, bytes] = {}
        self.log: list[str] = []
        self.trouble: Trouble = lambda operation, key: None
        self._clock = clock
        self._slow_s = slow_s  # how far a slow request moves the clock on
        self._lock = threading.RLock()

    def next_faults(self, *faults: Fault | None) -> None:
        """The next requests meet these, one each."""
        left = list(faults)
        self.trouble = lambda operation, key: left.pop(0) if left else None

    def put(self, key: str, body: bytes) -> None:
        self._request("put", key, lambda: self.stored.__setitem__(key, bytes(body)))

    def put_if_absent(self, key: str, body: bytes) -> bool:
        def unless_there() -> bool:
            if key in self.stored:
                return False
            self.stored[key] = bytes(body)
            return True

        return self._request("put_if_absent", key, unless_there)

    def get(self, key: str) -> bytes:
        return self._request("get", key, lambda: self.stored[key])

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        def found() -> list[str]:
            return sorted(key for key in self.stored if key.startswith(prefix) and key > after)

        yield from self._request("keys", prefix, found)

    def folders(self, prefix: str) -> Iterator[str]:
        def found() -> list[str]:
            inside = (key[len(prefix) :] for key in self.stored if key.startswith(prefix))
            return sorted({key.partition("/")[0] for key in inside if "/" in key})

        yield from self._request("folders", prefix, found)

    def delete(self, key: str) -> None:
        self._request("delete", key, lambda: self.stored.pop(key, None))

    def _request(self, operation: str, key: str, effect: Callable[[], T]) -> T:
        with self._lock:
            fault = self.trouble(operation, key)
            self.log.append(f"{operation} {key}")
            if fault is Fault.SLOW and self._clock:
                self._clock.advance(self._slow_s)
            if fault in (Fault.BEFORE, Fault.SLOW_DOWN):
                raise Outage("PutObject: SlowDown" if fault is Fault.SLOW_DOWN else "no connection")
            answer = effect()
            if fault is Fault.AFTER:
                raise Outage("the connection was closed before the answer")
            return answer


class Bucket(Protocol):
    """A bucket under test."""

    prefix: str  # of all keys of this test
    objects: Objects
    unreachable: Objects  # the same kind, its service away


class ObjectsConformance:
    """What every bucket promises. A test class inherits this and brings a fixture `bucket`, a `Bucket`."""

    @pytest.mark.parametrize("body", [b"", b"\x00\xff\r\n", b"x" * 9_000_000], ids=["empty", "binary", "large"])
    def test_what_was_put_comes_back(self, bucket: Bucket, body: bytes) -> None:
        bucket.objects.put(f"{bucket.prefix}/day=2026-11-27/a b+c%20é.bin", body)
        assert bucket.objects.get(f"{bucket.prefix}/day=2026-11-27/a b+c%20é.bin") == body

    def test_the_last_put_counts(self, bucket: Bucket) -> None:
        for body in (b"first", b"second"):
            bucket.objects.put(f"{bucket.prefix}/again", body)
        assert bucket.objects.get(f"{bucket.prefix}/again") == b"second"

    def test_what_is_there_stays_as_it_is(self, bucket: Bucket) -> None:
        key = f"{bucket.prefix}/once"
        assert bucket.objects.put_if_absent(key, b"first")
        assert not bucket.objects.put_if_absent(key, b"second")
        assert not bucket.objects.put_if_absent(key, b"first")
        assert bucket.objects.get(key) == b"first"

    def test_of_many_at_once_one_puts(self, bucket: Bucket) -> None:
        key = f"{bucket.prefix}/race"
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda n: bucket.objects.put_if_absent(key, b"%d" % n), range(8)))
        assert won.count(True) == 1
        assert bucket.objects.get(key) == b"%d" % won.index(True)

    def test_what_is_absent_is_a_key_error(self, bucket: Bucket) -> None:
        with pytest.raises(KeyError):
            bucket.objects.get(f"{bucket.prefix}/nothing")

    def test_a_deleted_object_is_absent_and_may_be_deleted_again(self, bucket: Bucket) -> None:
        key = f"{bucket.prefix}/deleted"
        bucket.objects.put(key, b"x")
        for _ in range(2):
            bucket.objects.delete(key)
        with pytest.raises(KeyError):
            bucket.objects.get(key)
        assert bucket.objects.put_if_absent(key, b"y")

    def test_keys_come_in_order_from_after_a_key_and_no_others(self, bucket: Bucket) -> None:
        names = [f"{bucket.prefix}/list/{name}" for name in ("a", "b", "b/c", "b0", "c", "Z")]
        for key in [*names, f"{bucket.prefix}/lisu"]:
            bucket.objects.put(key, b"")
        assert list(bucket.objects.keys(f"{bucket.prefix}/list/")) == sorted(names)
        after = f"{bucket.prefix}/list/b"
        assert list(bucket.objects.keys(f"{bucket.prefix}/list/", after)) == [n for n in sorted(names) if n > after]
        assert list(bucket.objects.keys(f"{bucket.prefix}/list/", f"{bucket.prefix}/list/a!")) == sorted(names)[2:]
        assert not list(bucket.objects.keys(f"{bucket.prefix}/none/"))

    def test_more_keys_than_a_page_holds_all_come(self, bucket: Bucket) -> None:
        names = [f"{bucket.prefix}/many/{n:05d}" for n in range(1_005)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: bucket.objects.put(key, b""), names))
        assert list(bucket.objects.keys(f"{bucket.prefix}/many/")) == names

    def test_folders_come_once_and_in_order(self, bucket: Bucket) -> None:
        root = f"{bucket.prefix}/shards/"
        for name in ("s-10/1", "s-1/2", "s-1/1", "s-10/1/1", "alone", "s-1é b/1"):
            bucket.objects.put(f"{root}{name}", b"")
        assert list(bucket.objects.folders(root)) == ["s-1", "s-10", "s-1é b"]
        assert not list(bucket.objects.folders(f"{root}none/"))

    def test_more_folders_than_a_page_holds_all_come(self, bucket: Bucket) -> None:
        names = [f"{n:05d}" for n in range(1_005)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: bucket.objects.put(f"{bucket.prefix}/wide/{name}/x", b""), names))
        assert list(bucket.objects.folders(f"{bucket.prefix}/wide/")) == names

    def test_a_service_that_is_away_is_an_outage(self, bucket: Bucket) -> None:
        away = bucket.unreachable
        requests: list[Callable[[], object]] = [
            lambda: away.put("k", b""),
            lambda: away.put_if_absent("k", b""),
            lambda: away.get("k"),
            lambda: list(away.keys("k")),
            lambda: list(away.folders("k/")),
            lambda: away.delete("k"),
        ]
        for request in requests:
            with pytest.raises(Outage):
                request()
