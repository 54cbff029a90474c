"""When probes are seen, and what that says of each store."""

import datetime as dt
import io

import msgspec
import pytest
from rich.console import Console

from loadtests.proof.costs import AgentCost
from loadtests.proof.freshness import STORES, freshness
from loadtests.proof.looking import sales_on_board
from loadtests.proof.outcome import Proof, Rate, broken
from loadtests.proof.recovery import peak_end_s, sudden
from loadtests.proof.report import print_proof
from loadtests.proof.sightings import BOARD, GAPS, LAKE, OPENSEARCH, WAREHOUSE, Sightings, minute_of
from loadtests.proof.thresholds import thresholds
from loadtests.proof.watch import HISTORY, SEARCH, Watch
from loadtests.sale.ledger import Tail
from loadtests.sale.plan import PROBES_A_SECOND, Plan, RunFolder
from loadtests.shapes import Knot, Phase, Shape, sale_day
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
    news = sightings.take()
    seen = {(each.store, each.key): each.seen_us - EIGHT for each in news}
    assert seen[BOARD, "a"] == 400_000
    assert seen[BOARD, "b"] == 800_000
    assert sightings.waiting == {OPENSEARCH: 0, LAKE: 2, WAREHOUSE: 2, BOARD: 0}
    gaps = {each.key: each.gap_us for each in news if each.store == BOARD}
    assert gaps == {"a": 400_000, "b": 100_000}  # since it was due; since the snapshot before


def test_how_long_before_a_sighting_the_look_was_that_did_not_see_it_is_noted_with_it():
    sightings = Sightings()
    for key in "ab":
        sightings.expect(key, EIGHT)
    sightings.found(LAKE, ["a"], EIGHT + 3_000_000, asked=["a", "b"], asked_us=EIGHT + 2_000_000)
    sightings.found(LAKE, ["b"], EIGHT + 9_000_000, asked=["b"], asked_us=EIGHT + 8_000_000)
    assert {each.key: each.gap_us for each in sightings.take()} == {"a": 3_000_000, "b": 7_000_000}


def test_a_watcher_rests_longer_after_a_long_look_but_never_so_long_that_it_is_the_result():
    assert [SEARCH.after(look_s) for look_s in (0.01, 0.1, 9.0)] == [0.1, pytest.approx(0.3), 0.5]
    assert [HISTORY.after(look_s) for look_s in (0.01, 0.5, 9.0)] == [2.0, 4.5, 30.0]


def test_one_look_asks_for_all_that_came_in_several_rests():
    rests_s = 3 * HISTORY.most_s
    sightings = Sightings()
    for number in range(round(rests_s * PROBES_A_SECOND)):
        sightings.expect(str(number), EIGHT + number)
    assert len(sightings.missing(LAKE)) == sightings.waiting[LAKE]


def test_what_was_seen_is_written_with_the_gaps_beside_it(tmp_path):
    folder = RunFolder(tmp_path)
    folder.make_folders()
    watch = Watch(folder, board=False)
    (folder.probes / "one.csv").write_text(f"a,{EIGHT}\nb,{EIGHT}")
    watch.read_along()
    watch.sightings.found(LAKE, ["a"], EIGHT + 5)
    watch.close()
    assert folder.sightings.read_text().split() == [f"lake,a,{EIGHT},{EIGHT + 5}"]
    assert folder.sightings.with_name(GAPS).read_text().split() == ["lake,5"]


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
def timed(tmp_path):
    """The freshness of a run with a probe a second, each of which the board showed after so many seconds."""

    def timed(waits, *phases, knots=((0, 1), (100, 1)), lost=0, torn="", stores=STORES):
        probes = tmp_path / "probes"
        probes.mkdir()
        due = [EIGHT + n * 1_000_000 for n in range(len(waits) + lost)]
        (probes / "one.csv").write_text("".join(f"{n},{us}\n" for n, us in enumerate(due)) + torn)
        seen = [
            f"board,{n},{us},{us + round(wait * 1e6)}\n" for n, (us, wait) in enumerate(zip(due, waits, strict=False))
        ]
        (tmp_path / "seen.csv").write_text("".join(seen) + torn)
        shape = Shape(
            knots=tuple(Knot(*knot) for knot in knots),
            phases=tuple(Phase(name=name, start_s=start, end_s=end) for name, start, end in phases),
        )
        return freshness(
            tmp_path / "seen.csv", probes, began_us=EIGHT, shape=shape, limit_s={"board": 2.0}, stores=stores
        )

    return timed


@pytest.fixture
def fresh(timed):
    return timed([0.5] * 90 + [5.0] * 9, ("calm", 0, 60), ("step", 60, 100), lost=1)


def test_freshness_is_told_by_store_minute_and_phase_with_what_was_never_seen(fresh):
    assert fresh.probes == 100
    assert fresh.stores["board"].p50 == 0.5 and fresh.stores["board"].max == 5.0
    assert fresh.unseen == {"board": 1, "opensearch": 100, "lake": 100, "warehouse": 100}
    assert [(moment.minute, moment.spread.max) for moment in fresh.minutes] == [(0, 0.5), (1, 5.0)]
    calm, step = fresh.phases
    assert (calm.over_limit_s, step.over_limit_s) == (0.0, 13.0)  # due at 90 s, and the last of them seen at 103 s
    assert fresh.catch_up_s == {"board": 4.0}


def test_the_warm_up_is_told_but_not_judged_and_which_phases_are_is_said(timed):
    fresh = timed([30.0] * 10 + [0.5] * 90, ("warm-up", 0, 10), ("held", 10, 100), stores=[BOARD])
    assert fresh.stores["board"].max == 30.0
    assert (fresh.judged_phases, fresh.judged["board"].probes, fresh.judged["board"].p99) == (["held"], 90, 0.5)
    said = "\n".join(broken(_of_nothing(fresh), thresholds()))
    assert "freshness" not in said
    console = Console(record=True, width=150, file=io.StringIO())
    print_proof(_of_nothing(fresh), console)
    printed = [line.split() for line in console.export_text().splitlines()]
    assert ["│", "held", "│", "board", "│", "90", "│", "0.50", "│", "0.50", "│", "0.50", "│", "0.50", "│"] in printed


def test_a_run_that_ended_in_its_warm_up_has_not_kept_what_is_judged_later(timed):
    fresh = timed([0.5] * 10, ("warm-up", 0, 50), ("held", 50, 100), stores=[BOARD])
    assert any("board: no probe was due in held" in line for line in broken(_of_nothing(fresh), thresholds()))


def test_only_a_store_that_was_watched_can_have_shown_nothing(timed):
    fresh = timed([0.5] * 100, stores=[BOARD, LAKE])
    assert fresh.unseen == {BOARD: 0, LAKE: 100}
    said = broken(_of_nothing(fresh), thresholds())
    assert "lake: 100 of 100 probes never seen" in said
    assert not any("board" in line or "warehouse" in line for line in said)


def test_a_run_without_probes_keeps_no_threshold_of_freshness(timed):
    assert any("no probe was sent" in line for line in broken(_of_nothing(timed([])), thresholds()))


def test_probes_and_sightings_whose_last_line_was_cut_off_are_read_up_to_that(timed):
    fresh = timed([0.5] * 3, torn="board,")
    assert (fresh.probes, fresh.stores["board"].probes) == (3, 3)


STEP = {"knots": ((0, 1), (20, 1), (30, 10), (100, 1))}


@pytest.mark.parametrize(
    ("waits", "back"),
    [
        ([0.5] * 100, (10.0, 0.0)),
        ([0.5] * 25 + [9.0] * 20 + [0.5] * 55, (30.0, 20.0)),
        ([0.5] * 25 + [9.0] * 5 + [0.5] * 40 + [9.0] + [0.5] * 29, (60.0, 50.0)),  # it came again
        ([0.5] * 99 + [9.0], (None, None)),
        ([0.5] * 99, (None, None)),  # the last one was lost
    ],
    ids=["never away", "two windows", "again", "never back", "lost"],
)
def test_back_to_normal_is_when_no_ten_seconds_are_over_the_limit_any_more(timed, waits, back):
    fresh = timed(waits, ("warm-up", 0, 20), ("step", 20, 100), lost=100 - len(waits), stores=[BOARD], **STEP)
    (way,) = fresh.recoveries
    assert (way.phase, way.store, way.since_begin_s, way.since_peak_s) == ("step", "board", *back)


def test_the_recovery_of_a_step_ends_where_the_burst_begins():
    shape = sale_day()
    (step, until_s), (burst, end_s) = sudden(shape)
    assert (step.name, burst.name) == ("step", "burst")
    assert (until_s, end_s) == (burst.start_s, shape.seconds)
    assert peak_end_s(shape, step) == step.start_s + 30
    assert peak_end_s(shape, burst) == burst.start_s + 34


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
        visits=None,
        stream_refusals=None,
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
