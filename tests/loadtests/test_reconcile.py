"""What was intended against what stores hold."""

import pytest

from loadtests.proof.holdings import Held
from loadtests.proof.reconcile import Reconciliation
from loadtests.sale.ledger import Intended, Ledger

pytestmark = pytest.mark.unit


@pytest.fixture
def reconciled(tmp_path):
    """What becomes of intended lines in a store that holds these rows."""

    def judge(lines, rows, *, torn="", has_origins=True):
        with Ledger(tmp_path, tmp_path.parent, "one") as ledger:
            for line in lines:
                ledger.add(line)
        with (tmp_path / "one.csv").open("a") as file:
            file.write(torn)
        with Reconciliation(tmp_path / "proof.duckdb", has_origins=has_origins) as reconciliation:
            reconciliation.intend([tmp_path / "one.csv"])
            reconciliation.hold(rows)
            return reconciliation.judge("lake", tmp_path / "faults.csv")

    return judge


def good(key, copies=1, total=None):
    return Intended(key, "event", "", copies, 1_000_000, 1_000_100, total)


def bad(key, reason, by="event"):
    return Intended(key, by, reason, 1, 1_000_000, 1_000_100)


def order(key, order_id=None, total=None, revenue=None):
    return Held("lake", "order", key, order_id or f"O-{key}", None, "", total, revenue or total)


def letter(key, reason, line=None):
    return Held("lake", "letter", key, None, line, reason)


def duplicate(key):
    return Held("lake", "duplicate", key, None, None, "")


def test_one_line_of_a_hundred_thousand_is_named(reconciled):
    proof = reconciled((good(f"e-{n}") for n in range(100_000)), (order(f"e-{n}") for n in range(100_000) if n != 4711))
    assert (proof.emitted, proof.stored, proof.missing) == (100_000, 99_999, 1)
    assert [(fault.key, fault.verdict) for fault in proof.faults] == [("e-4711", "missing")]


def test_a_line_without_identity_is_known_by_its_checksum_and_an_order_of_the_shop_by_its_number(reconciled):
    proof = reconciled(
        [bad("77-10", "not_json", "line"), Intended("O-ABC", "order", "", 1, 1, 1)],
        [letter("hash", "not_json", "77-10"), order("whatever", "O-ABC")],
    )
    assert (proof.stored, proof.dead, proof.missing, proof.foreign) == (1, 1, 0, 0)
    assert proof.reasons == {"not_json": {"not_json": 1}}


@pytest.mark.parametrize(
    ("line", "rows", "verdict"),
    [
        (good("a"), [letter("a", "wrong_price")], "refused"),
        (bad("a", "wrong_price"), [order("a")], "accepted"),
        (bad("a", "wrong_price"), [letter("a", "unknown_sku")], "other_reason"),
        (good("a"), [order("a"), order("a")], "duplicated"),
        (good("a"), [order("a"), duplicate("a")], "duplicated"),
        (good("a", copies=2), [order("a"), duplicate("a"), duplicate("a")], "duplicated"),
        (bad("a", "wrong_price"), [letter("a", "wrong_price"), letter("a", "wrong_price")], "duplicated"),
        (good("a", total=2025), [order("a", total=2024)], "altered"),
        (good("a", total=2025), [order("a", total=2025, revenue=-2025)], "altered"),
        (good("a", total=2025), [order("a")], "altered"),
        (good("a", copies=2), [order("a")], "undetected"),
        (good("a"), [], "missing"),
        (good("a"), [Held("warehouse", "order", "a", None, None, "")], "missing"),
    ],
)
def test_what_is_not_as_intended_is_told_by_kind(reconciled, line, rows, verdict, tmp_path):
    proof = reconciled([line], rows)
    assert [fault.verdict for fault in proof.faults] == [verdict]
    assert f"a,{verdict}," in (tmp_path / "faults.csv").read_text()


def test_an_order_emitted_twice_that_left_its_mark_and_one_that_was_mended_are_right(reconciled):
    proof = reconciled(
        [good("a", copies=2), good("b")], [order("a"), duplicate("a"), order("b"), letter("b", "unknown_sku")]
    )
    assert (proof.stored, proof.faults, proof.twice) == (2, [], 1)


def test_a_second_row_of_a_line_of_the_shop_that_came_once_is_found_by_its_order(reconciled):
    sold = Intended("O-ABC", "order", "", 1, 1, 1)
    assert reconciled([sold], [order("e", "O-ABC"), duplicate("e")]).duplicated == 1


def test_an_order_that_is_worth_what_it_was_sold_for_is_right_and_one_of_unknown_worth_is_not_judged(reconciled):
    proof = reconciled([good("a", total=2025), good("b")], [order("a", total=2025), order("b", total=7)])
    assert (proof.altered, proof.faults) == (0, [])


def test_without_an_origin_a_second_line_cannot_be_told_from_a_retry_and_duplicates_are_not_judged(reconciled):
    lines = [good("a", copies=2), good("b")]
    assert reconciled(lines, [order("a"), order("b"), duplicate("b")], has_origins=False).faults == []


def test_what_nobody_has_noted_is_counted_apart_and_orders_by_themselves(reconciled):
    proof = reconciled([good("a")], [order("a"), order("x"), order("y"), letter("z", "wrong_price")])
    assert (proof.foreign, proof.foreign_orders) == (3, 2)


@pytest.mark.parametrize("torn", ["e-", "e-3,event,,1,", 'e-3,"', "e-3,event,,1,1000000,1000100,20"])
def test_a_ledger_whose_last_line_was_cut_off_is_read_up_to_that(reconciled, torn, tmp_path):
    proof = reconciled([good("a"), good("b")], [order("a"), order("b")], torn=torn)
    assert (proof.emitted, proof.faults) == (2, [])
    assert (tmp_path / "one.csv").read_text().endswith(torn)


def test_a_ledger_of_a_release_that_did_not_note_what_an_order_is_worth_can_still_be_proven(reconciled):
    proof = reconciled([], [order("a", total=7)], torn="a,event,,1,1000000,1000100\r\n")
    assert (proof.emitted, proof.stored, proof.faults) == (1, 1, [])


def test_what_a_store_holds_is_read_again_in_the_next_look_and_the_ledgers_are_not(tmp_path):
    with Ledger(tmp_path, tmp_path.parent, "one") as ledger:
        ledger.add(good("a"))
    with Reconciliation(tmp_path / "proof.duckdb") as reconciliation:
        reconciliation.intend([tmp_path / "one.csv"])
        for rows, missing in (([], 1), ([order("a")], 0), ([order("a")], 0)):
            reconciliation.let_go()
            reconciliation.hold(rows)
            proof = reconciliation.judge("lake")
            assert (proof.missing, proof.duplicated, proof.emitted) == (missing, 0, 1)
