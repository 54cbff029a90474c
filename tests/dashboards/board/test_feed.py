import asyncio
from collections.abc import AsyncIterator
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dashboards.board.feed import HEARTBEAT, Feed, framed
from dashboards.board.known import Known
from dashboards.board.snapshot import Snapshot, Storefront, snapshot
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

RETRY = b"retry: 1000\n\n"


def numbered(n: int) -> Snapshot:
    shop = Storefront(currency="GBP", zone=ZoneInfo("UTC"), names={})
    return snapshot(Known(), ManualClock().now(), shop, [f"snapshot {n}\nwith a second line"])


def number_in(frame: bytes) -> str:
    return msgspec.json.decode(frame.split(b"data: ")[1], type=Snapshot).trouble[0].split("\n")[0]


async def collect(events: AsyncIterator[bytes]) -> list[bytes]:
    return [frame async for frame in events]


def test_an_event_is_an_id_and_one_line_of_data() -> None:
    assert framed("run-1", b'{"a":1}') == b'id: run-1\ndata: {"a":1}\n\n'


def test_a_line_break_in_a_text_cannot_break_the_frame() -> None:
    async def play() -> list[bytes]:
        feed = Feed("run")
        feed.publish(numbered(1))
        feed.close()
        return await collect(feed.events(None))

    retry, frame = asyncio.run(play())
    assert retry == RETRY
    assert frame.startswith(b"id: run-1\ndata: {")
    assert frame.endswith(b"}\n\n")
    assert frame.count(b"\n") == 3


def test_a_slow_viewer_skips_to_the_newest() -> None:
    async def play() -> list[bytes]:
        feed = Feed("run")
        events = feed.events(None)
        frames = [await anext(events)]
        for n in (1, 2, 3):
            feed.publish(numbered(n))
        frames.append(await anext(events))
        feed.publish(numbered(4))
        feed.close()
        return frames + await collect(events)

    assert [number_in(frame) for frame in asyncio.run(play())[1:]] == ["snapshot 3", "snapshot 4"]


def test_a_viewer_who_waits_is_woken() -> None:
    async def play() -> bytes:
        feed = Feed("run")
        events = feed.events(None)
        await anext(events)
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        feed.publish(numbered(1))
        return await waiting

    assert number_in(asyncio.run(play())) == "snapshot 1"


def test_who_comes_back_gets_the_newest_unless_it_was_seen() -> None:
    async def play(last_event_id: str) -> list[bytes]:
        feed = Feed("run")
        feed.publish(numbered(1))
        feed.publish(numbered(2))
        feed.close()
        return await collect(feed.events(last_event_id))

    assert [number_in(frame) for frame in asyncio.run(play("run-1"))[1:]] == ["snapshot 2"]
    assert asyncio.run(play("run-2")) == [RETRY]
    assert [number_in(frame) for frame in asyncio.run(play("another run-2"))[1:]] == ["snapshot 2"]


def test_silence_is_filled_with_comments() -> None:
    async def play() -> list[bytes]:
        events = Feed("run", heartbeat_s=0).events(None)
        return [await anext(events) for _ in range(3)]

    assert asyncio.run(play()) == [RETRY, HEARTBEAT, HEARTBEAT]


def test_the_feed_knows_whether_someone_watches() -> None:
    async def play() -> list[tuple[int, bool, bool]]:
        feed = Feed("run")
        one, two = feed.events(None), feed.events(None)
        seen = [(feed.viewers, feed.watched.is_set(), feed.deserted.is_set())]
        for step in (one.__anext__, two.__anext__, one.aclose, two.aclose):
            await step()
            seen.append((feed.viewers, feed.watched.is_set(), feed.deserted.is_set()))
        return seen

    nobody, watched = (False, True), (True, False)
    assert asyncio.run(play()) == [(0, *nobody), (1, *watched), (2, *watched), (1, *watched), (0, *nobody)]


def test_what_is_forgotten_greets_nobody() -> None:
    async def play() -> list[bytes]:
        feed = Feed("run")
        feed.publish(numbered(1))
        feed.forget()
        feed.close()
        return await collect(feed.events(None))

    assert asyncio.run(play()) == [RETRY]
