import pytest

from infra.local.kinesis.bodies import BodyBudget

pytestmark = pytest.mark.unit


def test_bodies_wait_in_turn_for_room_and_get_it_when_others_are_done() -> None:
    budget, granted = BodyBudget(10), []
    first = budget.ask(8, lambda: granted.append("first"))
    second = budget.ask(5, lambda: granted.append("second"))
    third = budget.ask(2, lambda: granted.append("third"))
    assert (first.held, second.held, third.held) == (True, False, False)  # a small one does not overtake
    first.release()
    assert (second.held, third.held, granted) == (True, True, ["second", "third"])


def test_a_body_that_stops_waiting_lets_the_next_one_in() -> None:
    budget = BodyBudget(10)
    first, second, third = (budget.ask(size, lambda: None) for size in (6, 9, 4))
    second.release()
    assert third.held
    for grant in (first, first, second, third):
        grant.release()
    assert budget.ask(10, lambda: None).held
