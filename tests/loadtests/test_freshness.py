"""When probes are seen, and what that says of each store."""

import datetime as dt

import msgspec
import pytest

from loadtests.proof.costs import AgentCost
from loadtests.proof.freshness import freshness
from loadtests.proof.looking import sales_on_board
from loadtests.proof.outcome import Proof, Rate, broken
from loadtests.proof.sightings import BOARD, LAKE, OPENSEARCH, WAREHOUSE, Sightings, minute_of
from loadtests.proof.thresholds import thresholds
from loadtests.sale.ledger import Tail
from loadtests.sale.plan import Plan
from loadtests.shapes import Phase, sale_day
from runtime.errors import ConfigError
from runtime.settings import Shop

pytestmark = pytest.mark.unit

EIGHT = 28_800_000_000  # 08:00:00, in microseconds


def test_a_probe_is_on_the_board_with_the_first_snapshot_that_counts_its_minute_in_full():
    sightings = Sightings()
    sightings.expect("a", EIGHT)
    sightings.expect("b", EIGHT + 1)
    sightings.board_shows({"08:00": 1}, EIGHT + 400_000)
    sightings.found(OPENSEARCH, ["a"], EIGHT + 500_000, {"08:00": 1})  # the board was faster
    sightings.found(OPENSEARCH, ["b"], EIGHT + 600_000, {"08:00": 3})
    sightings.board_shows({"08:00": 2}, EIGHT + 700_000)
    assert sightings.waiting[BOARD] == 1
    sightings.board_shows({"08:00": 3, "08:01": 9}, EIGHT + 800_000)
    seen = {(each.store, each.key): each.seen_us - EIGHT for each in sightings.take()}
    assert seen[BOARD, "a"] == 400_000
    assert seen[BOARD, "b"] == 800_000
    assert sightings.waiting == {OPENSEARCH: 0, LAKE: 2, WAREHOUSE: 2, BOARD: 0}


def test_what_was_seen_already_is_not_seen_again_and_lost_probes_do_not_hide_the_others():
    sightings = Sightings()
    for number in range(1000):
        sightings.expect(str(number), number)
    sightings.found(LAKE, ["999"], 5)
    sightings.found(LAKE, ["999"], 6)
    assert [each.seen_us for each in sightings.take()] == [5]
    asked = sightings.missing(LAKE)
    assert asked[0] == "0" and asked[-1] == "998" and len(asked) < 1000


def test_the_boards_minutes_are_the_shops_own():
    labels = [f"{(7 + n // 60) % 24:02}:{n % 60:02}" for n in range(1, 61)]  # up to 08:00 in London, 07:00 UTC
    snapshot = msgspec.json.encode({"minutes": [{"label": label, "orders": n} for n, label in enumerate(labels)]})
    summer = dt.datetime(2026, 7, 1, 7, 0, 30, tzinfo=dt.UTC)
    sales = sales_on_board(snapshot, summer, Shop())
    assert len(sales) == 60 and sales["07:00"] == 59 and sales["06:01"] == 0
    assert sales_on_board(snapshot, summer + dt.timedelta(minutes=1), Shop()) == sales  # it has not asked since
    assert sales_on_board(snapshot, summer + dt.timedelta(hours=1), Shop()) == {}
    assert minute_of(EIGHT + 59_999_999) == "08:00"


@pytest.fixture
def fresh(tmp_path):
    probes = tmp_path / "probes"
    probes.mkdir()
    due = [EIGHT + n * 1_000_000 for n in range(100)]
    (probes / "one.csv").write_text("".join(f"{n},{us}\n" for n, us in enumerate(due)))
    waits = [0.5] * 90 + [5.0] * 9
    rows = [f"board,{n},{us},{us + round(wait * 1e6)}\n" for n, (us, wait) in enumerate(zip(due, waits, strict=False))]
    (tmp_path / "seen.csv").write_text("".join(rows))
    phases = [Phase(name="calm", start_s=0, end_s=60), Phase(name="step", start_s=60, end_s=100)]
    return freshness(tmp_path / "seen.csv", probes, began_us=EIGHT, phases=phases, limit_s={"board": 2.0})


def test_freshness_is_told_by_store_minute_and_phase_with_what_was_never_seen(fresh):
    assert fresh.probes == 100
    assert fresh.stores["board"].p50 == 0.5 and fresh.stores["board"].max == 5.0
    assert fresh.unseen == {"board": 1, "opensearch": 100, "lake": 100, "warehouse": 100}
    assert [(moment.minute, moment.spread.max) for moment in fresh.minutes] == [(0, 0.5), (1, 5.0)]
    calm, step = fresh.phases
    assert (calm.over_limit_s, step.over_limit_s) == (0.0, 13.0)  # due at 90 s, and the last of them seen at 103 s
    assert fresh.catch_up_s == {"board": 4.0}


def test_what_a_threshold_does_not_allow_is_said_and_the_shipped_ones_can_be_read(fresh, tmp_path):
    limits = thresholds()
    proof = msgspec.structs.replace(_of_nothing(fresh), unreadable={"lake": "it is away"})
    said = broken(proof, limits)
    assert said[0].startswith("lake: could not be asked")
    assert any("only 90.0% of what was intended" in line for line in said)
    assert any("board: p99 freshness 5.00 s, at most 2 s" in line for line in said)
    assert any("board: 1 of 100 probes never seen" in line for line in said)
    file = tmp_path / "limits.toml"
    file.write_text("missing = 0\n")
    with pytest.raises(ConfigError, match="achieved"):
        thresholds(file)


def _of_nothing(fresh):
    return Proof(
        plan=Plan(run_id="r", seed=1, shape_name="x", orders=sale_day(), visits=None, settings_file=""),
        began_us=0,
        ended_us=1,
        rate=Rate(intended=100, written=90, on_time=90),
        minutes=[],
        stores=[],
        account=None,
        freshness=fresh,
        processes=[],
        lags=[],
        agent=AgentCost(refused=None, records=None, retries_max=None, troubles={}),
        requests=[],
        unreadable={},
        broken=[],
    )


def test_a_tail_gives_whole_lines_once(tmp_path):
    tail = Tail(tmp_path)
    (tmp_path / "a.csv").write_text("k,1\nl")
    assert list(tail.new()) == [["k", "1"]]
    with (tmp_path / "a.csv").open("a") as file:
        file.write(",2\n")
    assert list(tail.new()) == [["l", "2"]]
    assert list(tail.new()) == []
