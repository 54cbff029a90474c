"""Which line lies where among the raw records."""

import msgspec
import pytest

from consumers.account.chains import Link
from consumers.account.emitted import Stretch, Tally
from consumers.account.originals import Originals
from consumers.cold_testing import ColdBench
from consumers.delivery import Batch
from consumers.manifests import START, Manifest, manifest_key
from consumers.spans.chain import Chain
from consumers.stages.testing import SHARD, access_judge, batch, encoded, enveloped, heartbeat, order, stamp_of, stamped
from contract.rows import HitRow, LetterRow

pytestmark = pytest.mark.unit


class World:
    """Cold's own spans, as the account reads them."""

    def __init__(self) -> None:
        self.bench = ColdBench()
        self.path = self.bench.path()
        self.path.resume(None)
        self.last = START

    def span(self, records: Batch) -> Manifest:
        self.path.accept(records)
        self.path.settle()
        (manifest,) = Chain(self.bench.lake, "cold", SHARD.shard_id).after(self.last)
        self.last = manifest.last
        return manifest

    def originals(self, *manifests: Manifest, files: tuple[str, ...] = ("f",)) -> Originals:
        originals = Originals(self.bench.restricted, files)
        for manifest in manifests:
            originals.note(Link(key_of(manifest), manifest))
        return originals


def key_of(manifest: Manifest) -> str:
    return manifest_key(manifest.application, manifest.shard_id, manifest.previous)


def lines(count: int, file: str = "f", first: int = 0) -> list[bytes]:
    return [encoded(order(event_id=f"{file}-{n}"), file=file, offset=1000 * n) for n in range(first, first + count)]


def stretch(start: int, end: int) -> Stretch:
    return Stretch(file_id="f", start=start, end=end, emitted=Tally())


def test_the_lines_of_a_stretch_with_their_places() -> None:
    world = World()
    one = world.span(batch([*lines(3), *lines(2, file="g")]))
    two = world.span(batch(lines(3, first=3), first=10))
    originals = world.originals(one, two)
    found = originals.lines(stretch(1000, 5000))
    assert [(line.offset, line.event_id, line.raw, line.manifest) for line in found] == [
        (1000, "f-1", one.raw[0].key, key_of(one)),
        (2000, "f-2", one.raw[0].key, key_of(one)),
        (3000, "f-3", two.raw[0].key, key_of(two)),
        (4000, "f-4", two.raw[0].key, key_of(two)),
    ]
    assert originals.data_of(key_of(one)) == [file.key for file in one.data if file.table == "orders"]
    assert not originals.absent


def test_objects_without_the_file_are_not_read() -> None:
    world = World()
    one, two = world.span(batch(lines(2, file="g"))), world.span(batch(lines(2), first=10))
    world.bench.restricted.log.clear()
    originals = world.originals(one, two)
    for _ in range(2):
        assert len(originals.lines(stretch(0, 9000))) == 2
    assert world.bench.restricted.log == [f"get {two.raw[0].key}"]


def test_a_line_delivered_twice_comes_twice_and_heartbeats_do_not_come() -> None:
    world = World()
    beat = heartbeat()
    beat["_sp"] = {**beat["_sp"], "f": "f", "o": 1000}
    manifest = world.span(batch([*lines(2), *lines(1), msgspec.json.encode(beat)]))
    assert [line.offset for line in world.originals(manifest).lines(stretch(0, 9000))] == [0, 0, 1000]


def test_refused_lines_have_the_identity_of_their_letters() -> None:
    world = World()
    line = b"no json"
    wrapped = msgspec.json.encode({"_sp": stamp_of(line, file="f"), "line": "no json"})
    manifest = world.span(batch([wrapped, encoded(order(currency="pounds"), file="f", offset=10)]))
    first, second = world.originals(manifest).lines(stretch(0, 9000))
    assert first.event_id.startswith("line:")
    assert second.event_id == "e-1"


def test_access_lines_have_the_identity_that_their_stream_gives_them() -> None:
    said = b'1.2.3.4 - - [27/Nov/2026:08:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl"'
    asked = b'{"time":"2026-11-27T08:00:00Z","path":"/b","event_id":"claimed","more":[1]}'
    records = [
        enveloped(said, kind="access", offset=0),
        stamped(asked, kind="access", offset=100),
        enveloped(b"no access line", kind="access", offset=200),
        enveloped(b"\xff", kind="access", offset=300),
        enveloped(asked[:-1], kind="access", offset=400),
    ]
    rows = [judged.row for judged in access_judge().judge(batch(records))]
    world = World()
    manifest = world.span(batch(records))
    originals = world.originals(manifest, files=("i-1-abc",))
    found = originals.lines(Stretch(file_id="i-1-abc", start=0, end=1000, emitted=Tally()))
    assert [line.event_id for line in found] == [
        row.event_id if isinstance(row, HitRow) else row.letter_id if isinstance(row, LetterRow) else "" for row in rows
    ]
    assert len({line.event_id for line in found}) == len(records)
    assert sum(isinstance(row, HitRow) for row in rows) == 2


@pytest.mark.parametrize("content", [None, b"no zstd"])
def test_an_object_that_is_gone_or_broken_is_left_out_and_remembered(content: bytes | None) -> None:
    world = World()
    one, two = world.span(batch(lines(2))), world.span(batch(lines(2, first=2), first=10))
    if content is None:
        world.bench.restricted.delete(one.raw[0].key)
    else:
        world.bench.restricted.put(one.raw[0].key, content)
    originals = world.originals(one, two)
    assert [line.offset for line in originals.lines(stretch(0, 9000))] == [2000, 3000]
    assert originals.absent == {one.raw[0].key}
