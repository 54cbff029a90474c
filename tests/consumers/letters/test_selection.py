"""A JMESPath selection is mapped to the objects that it selects, or refused."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.letters.selection import Selection, Unselectable, replaced, shown
from consumers.stages.testing import order
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


def line(sku: str, **changes: Any) -> dict[str, Any]:
    return {"sku": sku, "quantity": 1, "unit_price": 100, **changes}


EVENT = order(
    lines=[line("85123a"), line("71053", quantity=7), line("85123a", unit_price=90)],
    gift={"card": {"text": "x"}, "kinds": [[line("in a list of lists")]]},
)


@pytest.mark.parametrize(
    ("expression", "places"),
    [
        ("@", ["@"]),
        ("lines[?sku=='85123a']", ["lines[0]", "lines[2]"]),
        ("lines[?quantity > `5`]", ["lines[1]"]),
        ("lines[?sku=='85123a'] | [0]", ["lines[0]"]),
        ("lines[-1]", ["lines[2]"]),
        ("lines[1:]", ["lines[1]", "lines[2]"]),
        ("lines[*]", ["lines[0]", "lines[1]", "lines[2]"]),
        ("lines", ["lines[0]", "lines[1]", "lines[2]"]),
        ("reverse(lines)", ["lines[2]", "lines[1]", "lines[0]"]),
        ("sort_by(lines, &unit_price)", ["lines[2]", "lines[0]", "lines[1]"]),
        ("max_by(lines, &quantity)", ["lines[1]"]),
        ("[lines[0], lines[0]]", ["lines[0]"]),
        ("gift.card", ["gift.card"]),
        ("gift.kinds[][]", ["gift.kinds[0][0]"]),
        ("lines[?sku=='none']", []),
        ("nothing.of.it", []),
    ],
)
def test_what_it_selects_has_a_place(expression: str, places: list[str]) -> None:
    assert [shown(place) for place in Selection(expression).places(EVENT)] == places


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("lines[].sku", "it selects a str"),
        ("total", "it selects a int"),
        ("{a: total}", "objects that the event does not have"),
        ("lines[].{sku: sku}", "objects that the event does not have"),
        ("merge(@, gift)", "objects that the event does not have"),
        ('`{"sku": "85123a"}`', "objects that the event does not have"),
        ("[@, lines[0]]", "another one within it"),
        ("gift.kinds", "it selects a list"),
        ("sum(region)", "JMESPathTypeError"),
    ],
)
def test_what_has_no_place_is_refused(expression: str, why: str) -> None:
    with pytest.raises(Unselectable, match=why):
        Selection(expression).places(EVENT)


@pytest.mark.parametrize("expression", ["lines[", "", "lines[?sku='x']", "no_such(@)["])
def test_what_is_no_jmespath_is_said_at_once(expression: str) -> None:
    with pytest.raises(ConfigError, match="is no JMESPath"):
        Selection(expression)


def test_objects_that_are_alike_are_not_taken_for_each_other() -> None:
    event = {"lines": [line("a"), line("a"), line("a")]}
    assert Selection("lines[1]").places(event) == [("lines", 1)]


@given(
    st.lists(st.sampled_from(["a", "b"]), max_size=6),
    st.sampled_from(["lines[?sku=='a']", "lines[::2]", "reverse(lines)", "lines"]),
)
def test_only_what_is_selected_changes(skus: list[str], expression: str) -> None:
    event = {"lines": [line(sku) for sku in skus]}
    before = copy.deepcopy(event)
    places = Selection(expression).places(event)
    for place in places:
        event = replaced(event, place, {"sku": "changed"})
    for index, (one, other) in enumerate(zip(before["lines"], event["lines"], strict=True)):
        assert other == ({"sku": "changed"} if ("lines", index) in places else one)
