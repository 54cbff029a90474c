import pytest

from dashboards.board.search import Unanswered, typed

pytestmark = pytest.mark.unit


def test_a_missing_shard_makes_an_answer_partial() -> None:
    whole, missing, late = typed(
        {
            "responses": [
                {"status": 200, "_shards": {"total": 2, "failed": 0}},
                {"status": 200, "_shards": {"total": 2, "failed": 1}},
                {"status": 200, "timed_out": True},
            ]
        },
        3,
    )
    assert (whole.partial, missing.partial, late.partial) == (False, True, True)


@pytest.mark.parametrize(
    ("raw", "expected", "message"),
    [
        ({"responses": [{"status": 503, "error": {"type": "all_shards_failed"}}]}, 1, "status 503, all_shards_failed"),
        ({"responses": [{"status": 200}]}, 2, "answered 1 of 2"),
        ({}, 1, "answered 0 of 1"),
        ({"responses": [{"status": "fine"}]}, 1, "unexpected shape"),
        ({"responses": [{"hits": {"hits": [{"_source": {"order_id": "O-1"}}]}}]}, 1, "unexpected shape"),
        ("<html>proxy</html>", 1, "unexpected shape"),
    ],
)
def test_what_is_no_answer_is_said_in_one_sentence(raw: object, expected: int, message: str) -> None:
    with pytest.raises(Unanswered, match=message):
        typed(raw, expected)
