"""Death before any effect: the next keeper ends where an undisturbed one does."""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from consumers.keeper.store import Outrun
from consumers.lake import expiry, store
from consumers.lake.expiry import ExpiryDuty
from consumers.lake.store import LakeStore
from consumers.lake.testing import OwnLake, spans_of, watched_files
from consumers.manifests import Manifest
from contract.tables import ACCOUNT, HITS, ORDERS, SPANNED
from runtime.effects import Effect
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

LATER = ManualClock(dt.datetime(2100, 1, 1, tzinfo=dt.UTC))


class Killed(BaseException):
    """The process is gone."""


def keep(lake: OwnLake, spans: list[Manifest], effect: Effect) -> None:
    """What a keeper does with these spans, from the start and in two commits, then the expiry."""
    with watched_files(effect):
        history = lake.store(effect)
        for part in (spans[:2], spans[2:]):
            taken = history.taken()
            left = [each for each in part if each.last > taken.get((each.application, each.shard_id), 0)]
            if left:
                history.take(left)
        ExpiryDuty(history, keep_h=1.0, clock=LATER).turn(lambda: None, threading.Event())


ROWS = " UNION ALL ".join(
    f"SELECT '{name}' AS of_table, {identity} AS row_id FROM {name}"
    for name, identity in (("orders", "event_id"), ("account", "file_id || end_offset"))
)

WITH_HITS = f"{ROWS} UNION ALL SELECT 'hits' AS of_table, event_id AS row_id FROM hits"


def state_of(lake: OwnLake, rows: str = ROWS) -> tuple[Counter[object], object]:
    """Every row, however often, and what the lake says of itself."""
    return Counter((row["of_table"], row["row_id"]) for row in lake.rows(rows)), lake.unprepared().taken()


def test_death_before_any_effect_changes_nothing_in_the_end(lake: OwnLake, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (store, expiry):  # two tables: the others are treated as the first is
        monkeypatch.setattr(module, "SPANNED", (ORDERS, ACCOUNT))
    spans = [*spans_of(lake, 2), *spans_of(lake, 1, shard_id="s-1")]
    effects: list[str] = []
    keep(lake, spans, effects.append)
    expected = state_of(lake)
    rows, _ = expected
    assert len(rows) == 6 + 3
    assert set(rows.values()) == {1}
    kinds = {effect.partition(" ")[0] for effect in effects}
    assert kinds == {"put", "swap", "delete"}
    print(f"{len(effects)} effects: {sum(effect.startswith('swap') for effect in effects)} swaps")
    for number in range(len(effects)):
        other = lake.beside()
        with pytest.raises(Killed):
            keep(other, spans, dying_at(number))
        keep(other, spans, lambda effect: None)
        assert state_of(other) == expected, f"died before effect {number}: {effects[number]}"


def test_death_during_an_upgrade_takes_nothing_twice_and_passes_nothing_over(
    lake: OwnLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = [*spans_of(lake, 2), *spans_of(lake, 1, shard_id="s-1")]

    def before(of: OwnLake) -> None:
        monkeypatch.setattr(store, "SPANNED", (ORDERS, ACCOUNT))
        of.store().take(spans[:1])
        monkeypatch.setattr(store, "SPANNED", (ORDERS, HITS, ACCOUNT))
        monkeypatch.setattr(expiry, "SPANNED", (ORDERS, HITS, ACCOUNT))

    def upgrade(of: OwnLake, effect: Effect) -> None:
        with watched_files(effect):
            history = of.store(effect)
            taken = history.taken()
            if left := [each for each in spans if each.last > taken.get((each.application, each.shard_id), 0)]:
                history.take(left)
            ExpiryDuty(history, keep_h=1.0, clock=LATER).turn(lambda: None, threading.Event())

    before(lake)
    effects: list[str] = []
    upgrade(lake, effects.append)
    expected = state_of(lake, WITH_HITS)
    assert {effect.partition(" ")[0] for effect in effects} == {"put", "swap", "delete"}
    assert set(expected[0].values()) == {1}
    assert len(expected[0]) == 6 + 3 + 3
    for number in range(len(effects)):
        other = lake.beside()
        before(other)
        with pytest.raises(Killed):
            upgrade(other, dying_at(number))
        upgrade(other, lambda effect: None)
        assert state_of(other, WITH_HITS) == expected, f"died before effect {number}: {effects[number]}"


def dying_at(number: int) -> Callable[[str], None]:
    left = [number]

    def effect(_: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    return effect


@contextmanager
def lost_answers(history: LakeStore) -> Iterator[list[str]]:
    """Each swap of the tables takes effect, and the answer never comes."""
    lost: list[str] = []
    events = history._catalogue.glue.meta.events

    def lose(**_: object) -> None:
        lost.append("UpdateTable")
        raise Outage("the connection was closed before the answer")

    events.register("after-call.glue.UpdateTable", lose)
    try:
        yield lost
    finally:
        events.unregister("after-call.glue.UpdateTable", lose)


def test_swaps_whose_answers_are_lost_are_not_made_twice(lake: OwnLake) -> None:
    spans = spans_of(lake, 2)
    history = lake.store()
    with lost_answers(history) as lost:
        for _ in range(2 * len(SPANNED)):
            if history.taken():
                break
            with pytest.raises((Outage, Outrun)):
                history.take(spans)
    assert len(lost) == len(SPANNED)
    assert history.taken() == {("cold", "s-0"): 2}
    assert set(lake.orders().values()) == {1}
    assert all(lake.rows(f"SELECT COUNT(*) AS n FROM {table.name}")[0]["n"] for table in SPANNED)
