"""Which days of the lake are looked at for hits that were accepted since."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from consumers.lake.read import Days, LakeReader
from consumers.letters.accepted import LakeStored
from consumers.letters.testing import LettersBench
from consumers.stages.testing import encoded, order

pytestmark = pytest.mark.unit

NEWEST = datetime(2026, 3, 20, 12, tzinfo=UTC)  # refusal
MARGIN = timedelta(days=8)


class AskedLake:
    """A lake without rows, which remembers the days that it was asked for."""

    def __init__(self) -> None:
        self.days: list[Days | None] = []

    def query(self, text: str, parameters: Sequence[Any] = (), *, days: Days | None = None) -> Iterator[dict[str, Any]]:
        self.days.append(days)
        return iter(())


@pytest.mark.parametrize(
    ("read_at", "first"),
    [
        ("2026-03-01T10:00:00Z", date(2026, 3, 1)),
        ("2026-03-01T10:00:00.123456+00:00", date(2026, 3, 1)),
        ("2026-04-01T10:00:00Z", NEWEST.date()),  # a clock that is ahead
        ("broken", NEWEST.date()),
        ("", NEWEST.date()),
        ("0001-01-01T00:00:00Z", date(2025, 12, 20)),  # 90 days at most
    ],
)
def test_the_days_begin_where_the_line_was_read(read_at: str, first: date) -> None:
    bench, lake = LettersBench(), AskedLake()
    bench.arrive(encoded(order(lines=[])))
    letter = bench.cases()[0].newest
    assert letter.stamp is not None
    stamp = msgspec.structs.replace(letter.stamp, t=read_at)
    hit = msgspec.structs.replace(letter, kind="access", arrived_at=NEWEST, stamp=stamp)
    assert LakeStored(cast(LakeReader, lake)).lines([hit]) == {}
    assert lake.days == [(first - MARGIN, NEWEST.date() + MARGIN)]
