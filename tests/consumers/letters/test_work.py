"""Letters are mended and sent again until they pass, and nothing is ever sold twice."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.letters.cases import State
from consumers.letters.testing import LettersBench
from consumers.stages.reference_testing import any_price
from consumers.stages.testing import FACTS, encoded, enveloped, order
from runtime.outage import Outage
from runtime.testing import StopAfter

pytestmark = pytest.mark.unit

LINE = {"sku": "85123a", "quantity": 6, "unit_price": 255}


def bad(number: int, **changes: Any) -> bytes:
    """An order that is refused for its SKU."""
    event = order(**{"event_id": f"e-{number}", "order_id": f"O-{number}", "lines": [LINE], **changes})
    return encoded(event, offset=number)


def states(bench: LettersBench) -> dict[str, State]:
    return {case.newest.letter_id: case.state for case in bench.cases()}


def test_a_dry_run_says_what_would_pass_and_sends_nothing() -> None:
    bench = LettersBench()
    bench.arrive(
        bad(1), bad(2, currency="gbp"), bad(3, lines=[]), encoded(order(event_id="good", order_id="G"), offset=9)
    )
    outcome = bench.mend({"sku": "85123A"}, "lines[?sku=='85123a']", apply=False)
    assert (outcome.found, outcome.selected, outcome.passing, outcome.refused) == (3, 2, 1, 1)
    assert dict(outcome.revenue) == {"GBP": 2025}
    assert dict(outcome.remaining) == {"unknown_currency": 1}
    assert not bench.outlet.held
    assert set(states(bench).values()) == {State.OPEN}


def test_what_was_mended_is_sold_once_however_often_it_is_sent() -> None:
    bench = LettersBench()
    bench.arrive(bad(1), bad(2))
    assert bench.mend({"sku": "85123A"}, "lines[?sku=='85123a']").sent == 2
    assert set(states(bench).values()) == {State.ON_ITS_WAY}
    again = bench.mend({"sku": "85123A"}, "lines[?sku=='85123a']")
    assert (again.sent, again.passing) == (0, 0)
    assert list(again.left_out) == ["it is on its way already: its verdict comes first"]
    assert bench.deliver() == 2
    assert set(states(bench).values()) == {State.MENDED}
    later = bench.mend({"sku": "71053"}, "lines")
    assert later.sent == 0 and dict(later.left_out) == {"its line is accepted already": 2}
    assert bench.revenue() == 2 * 2025


def test_a_replay_sends_what_passes_since_the_catalogue_was_mended() -> None:
    bench = LettersBench()
    bench.arrive(bad(1), bad(2, total=1))
    assert bench.mend().sent == 0
    bench.reference.facts = replace(FACTS, prices=any_price("85123a"))
    outcome = bench.mend()
    assert (outcome.sent, outcome.refused) == (1, 1)
    bench.deliver()
    assert states(bench) == {"e-1": State.MENDED, "e-2": State.OPEN}
    (row,) = bench.cold.chained.rows("orders")
    assert (row["event_id"], row["origin_offset"]) == ("e-1", 1)


def test_letters_of_many_spans_are_planned_with_one_question_to_the_lake() -> None:
    bench = LettersBench()
    for number in range(20):
        bench.arrive(bad(number))  # a span each
    asked, orders = [], bench.stored.orders
    bench.stored.orders = lambda events, orders_: asked.append(1) or orders(events, orders_)  # type: ignore
    assert len({case.newest.original for case in bench.cases()}) == 20
    assert bench.mend({"sku": "85123A"}, "lines[?sku=='85123a']").sent == 20
    assert len(asked) == 1
    assert bench.deliver() == 20


def test_one_that_is_refused_again_counts_by_its_newest_attempt_and_can_be_mended_further() -> None:
    bench = LettersBench()
    bench.arrive(bad(1, currency="gbp"))
    bench.mend({"sku": "85123A"}, "lines", even_refused=True)
    bench.deliver()
    (case,) = bench.cases()
    assert case.state is State.REFUSED_AGAIN
    assert [(each.attempt, each.reasons[0]) for each in case.letters] == [
        (0, "unknown_currency"),
        (1, "unknown_currency"),
    ]
    assert case.newest.reasons == ["unknown_currency"]
    assert bench.mend({"currency": "GBP"}).sent == 1
    bench.deliver()
    assert states(bench) == {"e-1": State.MENDED}
    first, second = (bench.ledger.read(case.newest, attempt) for attempt in (1, 2))
    assert first is not None and second is not None
    assert (first.patch, first.selection, first.by) == ({"sku": "85123A"}, "lines", "tester")
    assert (second.patch, second.before_sha256) == ({"currency": "GBP"}, first.after_sha256)
    assert second.sent_at is not None


@pytest.mark.parametrize("other", ["e-other", "e-1"])
def test_an_order_that_is_sold_already_is_left_out_whatever_its_identity(other: str) -> None:
    bench = LettersBench()
    bench.arrive(bad(1), encoded(order(event_id=other, order_id="O-1" if other != "e-1" else "O-9"), offset=500))
    outcome = bench.mend({"sku": "85123A"}, "lines")
    assert outcome.sent == 0 and outcome.passing == 0
    (why,) = outcome.left_out
    assert "stored as accepted already" in why


def test_an_order_id_that_a_mend_gives_is_looked_up_too() -> None:
    bench = LettersBench()
    bench.arrive(bad(1, order_id=7), encoded(order(event_id="sold", order_id="O-7"), offset=500))
    outcome = bench.mend({"order_id": "O-7", "lines": [{**LINE, "sku": "85123A"}]})
    assert outcome.sent == 0 and "order id" in next(iter(outcome.left_out))


def test_of_two_letters_of_one_order_one_goes() -> None:
    bench = LettersBench()
    bench.arrive(bad(1, order_id="O"), bad(2, order_id="O"))
    outcome = bench.mend({"sku": "85123A"}, "lines")
    assert outcome.sent == 1 and "another letter of its order" in next(iter(outcome.left_out))
    # The first one's verdict is not there yet, and the second one is asked for by itself.
    (left,) = [case for case in bench.cases() if case.state is State.OPEN]
    held = bench.mend({"sku": "85123A"}, "lines", ids=[left.newest.letter_id])
    assert held.sent == 0 and "is on its way" in next(iter(held.held_up))
    bench.deliver()
    assert bench.mend({"sku": "85123A"}, "lines", ids=[left.newest.letter_id]).sent == 0
    assert bench.revenue() == 2025


def test_a_letter_whose_sister_was_refused_again_may_go_and_the_sister_no_more() -> None:
    bench = LettersBench()
    bench.arrive(bad(1, order_id="O", currency="gbp"), bad(2, order_id="O"))
    bench.mend({"sku": "85123A"}, "lines", ids=["e-1"], even_refused=True)
    bench.deliver()
    assert bench.mend({"sku": "85123A"}, "lines", ids=["e-2"]).sent == 1
    assert bench.mend({"currency": "GBP"}, ids=["e-1"]).sent == 0
    bench.deliver()
    assert bench.revenue() == 2025


def test_two_operators_never_send_the_same_attempt() -> None:
    bench = LettersBench()
    bench.arrive(bad(1))
    seen = bench.find()  # by both, before either sends
    assert bench.mend({"sku": "85123A"}, "lines", found=seen, sender=bench.sender(by="one")).sent == 1
    other = bench.mend({"sku": "71053"}, "lines", found=seen, sender=bench.sender(by="other"))
    assert other.sent == 0 and dict(other.held_up) == {"one was faster": 1}
    assert bench.deliver() == 1


def test_a_claim_of_another_operator_is_not_sent_even_with_the_same_record() -> None:
    bench = LettersBench()
    bench.arrive(bad(1))
    seen = bench.find()
    bench.outlet.refuses = [Outage("away")] * 50
    with pytest.raises(Outage):
        bench.mend({"sku": "85123A"}, "lines", found=seen, sender=bench.sender(by="one"))
    bench.outlet.refuses = []
    other = bench.mend({"sku": "85123A"}, "lines", found=seen, sender=bench.sender(by="other"))
    assert other.sent == 0 and dict(other.held_up) == {"one was faster": 1}


def test_partial_failures_are_sent_again_entry_by_entry() -> None:
    bench = LettersBench()
    bench.arrive(*(bad(n) for n in range(5)))
    bench.outlet.refuses = [
        {0: "ProvisionedThroughputExceededException", 3: "InternalFailure"},
        Outage("away"),
        {1: "x"},
    ]
    assert bench.mend({"sku": "85123A"}, "lines").sent == 5
    assert bench.outlet.puts == [5, 2, 2, 1]
    assert bench.deliver() == 5


def test_a_stream_that_is_away_leaves_claims_that_the_next_one_finishes() -> None:
    bench = LettersBench()
    bench.arrive(bad(1))
    bench.outlet.refuses = [Outage("away")] * 50
    with pytest.raises(Outage, match="away"):
        bench.mend({"sku": "85123A"}, "lines")
    bench.outlet.refuses = []
    (case,) = bench.cases()
    assert case.is_unsent
    assert bench.mend().sent == 1  # a replay, which knows nothing of the patch
    bench.deliver()
    assert states(bench) == {"e-1": State.MENDED}


def test_a_stop_ends_between_two_requests_and_the_rest_stays_open() -> None:
    bench = LettersBench()
    bench.arrive(bad(1))
    stopped = StopAfter(0, bench.clock)
    outcome = bench.mend({"sku": "85123A"}, "lines", sender=bench.sender(stop=stopped))
    assert dict(outcome.held_up) == {"stopped before it": 1}
    assert states(bench) == {"e-1": State.OPEN}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", range(1, 9))
def test_killed_between_any_two_steps_the_next_run_finishes(step: int) -> None:
    bench = LettersBench()
    bench.arrive(bad(1), bad(2))
    left = [step]

    def effect(_: str) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    try:
        bench.mend({"sku": "85123A"}, "lines", sender=bench.sender(effect=effect))
    except Killed:
        bench.deliver()
        bench.mend({"sku": "85123A"}, "lines")
    bench.deliver()
    assert set(states(bench).values()) == {State.MENDED}
    assert bench.revenue() == 2 * 2025


def test_what_cannot_be_sent_is_said() -> None:
    bench = LettersBench()
    stub = {
        "_sp": {"k": "order", "f": "i-1", "o": 7, "n": 2_000_000, "c": 1},
        "oversize": {"bytes": 2_000_000, "sha256": "x"},
    }
    bench.arrive(msgspec.json.encode(stub), enveloped(b"no json", offset=8), b"foreign")
    outcome = bench.mend(even_refused=True)
    assert outcome.sent == 1  # the enveloped line, once more
    assert sorted(outcome.left_out) == [
        "no agent sent it, and it is no JSON object: nothing can hold its identity",
        "the line is too long to travel: it lies in the agent's `refused` file",
    ]


def test_an_original_that_is_gone_is_said() -> None:
    bench = LettersBench()
    bench.arrive(bad(1))
    desk, found = bench.desk, bench.find()
    for key in [key for key in bench.cold.restricted.stored if key.startswith("letters/")]:
        bench.cold.restricted.delete(key)
    assert dict(bench.mend(found=found).left_out) == {"its original is gone": 1}
    assert list(desk.shelf.letters(found.cases[0].newest.arrived_at)) == []
    assert "30 days" in desk.shelf.notes[0]


def test_filters() -> None:
    bench = LettersBench()
    bench.arrive(bad(1), enveloped(b"no json", offset=5))
    bench.clock.advance(60)
    bench.arrive(bad(2))
    late = bench.clock.now()

    def names(**filters: Any) -> list[str]:
        return [case.name.partition(":")[2] for case in bench.cases(**filters)]

    assert names() == ["1", "5", "2"]
    assert names(reasons=frozenset({"not_json"})) == ["5"]
    assert names(until=late) == ["1", "5"]
    assert names(order_ids=frozenset({"O-2"})) == ["2"]
    assert names(ids=["e-1"]) == names(ids=["i-1-abc:1"]) == ["1"]
    assert names(sources=["shop"]) == names(sources=["i-1-abc"]) == names(sources=["shop/or*"]) == ["1", "5", "2"]
    assert names(sources=["other"]) == names(states=frozenset({State.MENDED})) == []


STEPS = st.sampled_from(["mend", "mend other", "replay", "replay all", "deliver", "correct", "two see the same"])


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(STEPS, max_size=8),
    order_ids=st.lists(st.sampled_from(["A", "B"]), min_size=1, max_size=3),
    is_named=st.booleans(),
)
def test_whatever_operators_do_in_whatever_order_no_order_is_sold_twice(
    steps: list[str], order_ids: list[str], is_named: bool
) -> None:
    bench = LettersBench()
    changes = {} if is_named else {"event_id": ...}
    bench.arrive(*(bad(n, order_id=order_id, **changes) for n, order_id in enumerate(order_ids)))
    ids = {case.newest.letter_id for case in bench.cases()}
    for step in steps:
        if step == "mend":
            bench.mend({"sku": "85123A"}, "lines")
        elif step == "mend other":
            bench.mend({"sku": "71053"}, "lines", even_refused=True)
        elif step == "replay":
            bench.mend()
        elif step == "replay all":
            bench.mend(even_refused=True)
        elif step == "deliver":
            bench.deliver()
        elif step == "correct":
            bench.reference.facts = replace(FACTS, prices=any_price("85123a", "85123A", "71053"))
        else:
            seen = bench.find()
            bench.mend({"sku": "85123A"}, "lines", found=seen)
            bench.mend({"sku": "71053"}, "lines", found=seen)
    bench.deliver()
    sold = bench.cold.chained.rows("orders")
    assert {row["event_id"] for row in sold} <= ids
    assert len({(row["origin_file"], row["origin_offset"]) for row in sold}) == len({row["order_id"] for row in sold})
    for order_id in {row["order_id"] for row in sold}:
        of_order = [row for row in sold if row["order_id"] == order_id]
        assert len({(row["event_id"], row["content_hash"]) for row in of_order}) == 1


def test_of_two_lines_of_one_event_the_first_is_sent_whatever_the_filter() -> None:
    bench = LettersBench()
    first, second = (encoded(order(event_id="e-1", order_id="O-1", lines=[LINE]), offset=n) for n in (900, 1000))
    bench.arrive(first, second)
    later = bench.mend({"sku": "85123A"}, "lines[?sku=='85123a']", ids=("i-1-abc:1000",))
    assert later.sent == 0
    assert list(later.left_out) == ["a second line of its event: i-1-abc:900 is the one to send"]
    both = bench.mend({"sku": "85123A"}, "lines[?sku=='85123a']")
    assert (both.sent, both.left_out.total()) == (1, 1)
    bench.deliver()
    (row,) = bench.cold.chained.rows("orders")
    assert (row["origin_offset"], row["origin_attempt"]) == (900, 1)


def test_an_attempt_that_was_claimed_is_held_against_the_order_id_that_it_bears() -> None:
    bench = LettersBench()
    bench.arrive(bad(1))

    def die(effect: str) -> None:
        if effect == "put":
            raise KeyboardInterrupt

    patch = {"order_id": "O-9", "lines": [{**LINE, "sku": "85123A"}]}
    with pytest.raises(KeyboardInterrupt):
        bench.mend(patch, sender=bench.sender(effect=die))
    bench.arrive(encoded(order(event_id="shop-9", order_id="O-9"), offset=50))
    outcome = bench.mend(even_refused=True)
    assert outcome.sent == 0
    assert list(outcome.left_out) == ["its order id is stored as accepted already, as event shop-9"]
