"""The access stream on its way to the lake: hits are rows like any other, and lines of text are kept as they came."""

import json

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.cold_testing import ColdBench, access_bench, access_line, access_lines
from consumers.delivery import Position
from consumers.manifests import RawFile
from consumers.stages.testing import batch, enveloped, heartbeat, stamped

pytestmark = pytest.mark.unit

TEXT = '2001:db8::7 - - [27/Nov/2026:08:00:00 +0000] "GET /é?q=me@example.com HTTP/1.1" 404 - "-" "curl"'
HANDSHAKE = '192.0.2.1 - - [27/Nov/2026:08:00:00 +0000] "\\x16\\x03\\x01" 400 226 "-" "-"'
BROKEN_AGENT = TEXT.encode() + b' "\xff\xfe"'
JSON_LINE = {"time": "2026-11-27T08:00:00Z", "method": "GET", "path": "/", "status": 200, "request_id": "r-1"}


def raw_lines(bench: ColdBench) -> list[bytes]:
    """The lines of all objects of originals."""

    def lines(file: RawFile) -> list[bytes]:
        body = bench.restricted.get(file.key)
        return list(pa.CompressedInputStream(pa.BufferReader(body), "zstd").read().splitlines())

    return [line for manifest in bench.chained.manifests for file in manifest.raw for line in lines(file)]


def test_hits_letters_and_heartbeats_lie_in_tables_of_their_own() -> None:
    bench = access_bench()
    refused = enveloped(b"no line of a server", kind="access", offset=900)
    offered = [access_line(1), refused, msgspec.json.encode(heartbeat(kind="access")), access_line(2, day=28)]
    path = bench.path()
    path.accept(batch(offered))
    assert path.settle() == Position(4)
    bench.chained.check()
    (manifest,) = bench.chained.manifests
    assert sorted((file.table, file.day.day, file.rows) for file in manifest.data) == [
        ("account", 27, 1),
        ("hits", 27, 1),
        ("hits", 28, 1),
        ("letters", 27, 1),
    ]
    assert manifest.reference.keys() == {"identity_key", "site_rules", "user_agents"}
    assert [row["path"] for row in bench.chained.rows("hits")] == ["/1", "/2"]
    assert [record.reasons for record in bench.chained.letters()] == [["not_access"]]
    (stretch,) = manifest.raw[0].files
    assert (stretch.first, stretch.lines) == (1, 3)


@pytest.mark.parametrize(
    "record",
    [
        TEXT.encode(),  # of a foreign producer, which wraps nothing
        HANDSHAKE.encode(),
        BROKEN_AGENT,
        enveloped(BROKEN_AGENT, kind="access"),
        enveloped(TEXT.encode(), kind="access"),
        stamped(json.dumps(JSON_LINE).encode()),
        json.dumps(JSON_LINE).encode() + b"\n",
        b"\n" + TEXT.encode() + b"\r\n",
    ],
    ids=["text", "handshake", "bytes", "wrapped bytes", "wrapped text", "json", "json and newline", "line breaks"],
)
def test_an_accepted_line_comes_back_byte_for_byte_from_an_object_that_is_json(record: bytes) -> None:
    bench = access_bench()
    path = bench.path()
    path.accept(batch([record]))
    path.settle()
    bench.chained.check()
    assert [each.data for each in bench.chained.originals()] == [record]
    (line,) = raw_lines(bench)
    assert json.loads(line)["seq"] == "1"


lines = st.one_of(
    st.integers(0, 300).map(access_line),
    st.sampled_from([TEXT.encode(), HANDSHAKE.encode(), BROKEN_AGENT, json.dumps(JSON_LINE).encode()]),
    st.builds(
        lambda agent, day: enveloped(
            f'192.0.2.1 - - [{day:02d}/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "{agent}"'.encode(
                errors="surrogatepass"
            ),
            kind="access",
        ),
        st.text(max_size=20),
        st.integers(1, 30),
    ),
    st.text(max_size=12).map(lambda text: stamped(json.dumps({**JSON_LINE, "agent": text, "odd": text}).encode())),
    st.binary(max_size=30).map(lambda line: enveloped(line, kind="access", offset=7)),
    st.binary(max_size=30),
    st.integers(-1, 3).map(lambda n: msgspec.json.encode(heartbeat(kind="access", lines=n))),
)


@settings(deadline=None)
@given(st.lists(lines, min_size=1, max_size=12), st.integers(1, 5), st.integers(1, 4))
@example([b'{"record":1}', b'x,"record":{}}', TEXT.encode() + b',"record":'], 3, 4)
def test_records_in_are_hits_plus_letters_plus_heartbeats(contents: list[bytes], size: int, parts: int) -> None:
    bench = access_bench(records=4, parts=parts)
    path = bench.path()
    for first in range(0, len(contents), size):
        path.accept(batch(contents[first : first + size], first=first + 1))
    assert path.settle() == Position(len(contents))
    bench.chained.check()
    counted = sum(
        manifest.rows(table) for manifest in bench.chained.manifests for table in ("hits", "letters", "account")
    )
    assert counted == len(contents)
    assert not any(manifest.rows(table) for manifest in bench.chained.manifests for table in ("orders", "lines"))
    assert [record.data for record in bench.chained.originals()] == contents
    assert all(json.loads(line)["seq"] for line in raw_lines(bench))
    assert not bench.unreferenced()


def test_what_is_in_the_chain_is_not_written_again_after_a_redelivery() -> None:
    bench = access_bench(records=4)
    for _ in range(3):
        path = bench.path()
        path.accept(access_lines(1, 6))
        durable = path.settle()
        assert durable is not None
        assert durable.sequence == 6
    assert [row["path"] for row in bench.chained.rows("hits")] == [f"/{n}" for n in range(1, 7)]


def test_a_hit_has_the_same_identity_whenever_it_is_read() -> None:
    first, again = access_bench(), access_bench(records=2)
    for bench in (first, again):
        path = bench.path()
        path.accept(access_lines(1, 4))
        path.settle()
    assert first.chained.rows("hits") == again.chained.rows("hits")
    assert len({row["event_id"] for row in first.chained.rows("hits")}) == 4


def test_an_import_of_many_days_of_lines_makes_spans_of_few_objects() -> None:
    bench = access_bench(parts=8)
    path = bench.path()
    path.accept(batch([access_line(n, day=1 + n % 30) for n in range(1_500)]))
    path.settle()
    assert max(len(manifest.data) for manifest in bench.chained.manifests) <= 30
    bench.chained.check()


def test_what_a_path_holds_of_lines_is_small_beside_what_it_takes() -> None:
    bench = access_bench(records=100_000, nbytes=1 << 30)
    path, taken_bytes = bench.path(), 0
    for first in range(1, 40_001, 5_000):
        offered = access_lines(first, 5_000)
        taken_bytes += sum(len(record.data) for record in offered.records)
        path.accept(offered)
    assert bench.budget.held_bytes < 2 * taken_bytes
