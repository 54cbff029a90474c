"""RFC 7396, by its own examples and by what they have in common."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.letters.merge_patch import Json, merged

pytestmark = pytest.mark.unit

# Appendix A of the RFC: original, patch, result.
EXAMPLES: list[tuple[Json, Json, Json]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
NAMES = st.sampled_from("abcd")
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@pytest.mark.parametrize(("original", "patch", "result"), EXAMPLES)
def test_the_examples_of_the_rfc(original: Json, patch: Json, result: Json) -> None:
    assert merged(original, patch) == result


def test_the_example_of_section_3() -> None:
    original = {
        "title": "Goodbye!",
        "author": {"givenName": "John", "familyName": "Doe"},
        "tags": ["example", "sample"],
        "content": "This will be unchanged",
    }
    patch = {
        "title": "Hello!",
        "phoneNumber": "+01-123-456-7890",
        "author": {"familyName": None},
        "tags": ["example"],
    }
    assert merged(original, patch) == {
        "title": "Hello!",
        "author": {"givenName": "John"},
        "tags": ["example"],
        "content": "This will be unchanged",
        "phoneNumber": "+01-123-456-7890",
    }


@given(original=JSON, patch=JSON)
def test_a_second_time_changes_nothing_and_neither_is_changed(original: Json, patch: Json) -> None:
    before = copy.deepcopy((original, patch))
    once = merged(original, patch)
    assert merged(once, patch) == once
    assert (original, patch) == before


@given(original=st.dictionaries(NAMES, JSON), patch=st.dictionaries(NAMES, JSON))
def test_what_a_patch_does_not_name_stays_and_what_it_says_is_null_goes(
    original: dict[str, Json], patch: dict[str, Json]
) -> None:
    result = merged(original, patch)
    assert {name: original[name] for name in original.keys() - patch.keys()} == {
        name: result[name] for name in result.keys() - patch.keys()
    }
    assert {name for name in patch if patch[name] is None}.isdisjoint(result)
