import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.redshift.errors import SqlError
from infra.local.redshift.sql.tokens import Cursor, Kind, literal, quoted, tokens

pytestmark = pytest.mark.unit


@given(st.text().filter(lambda text: "\0" not in text))
def test_a_string_is_read_back_whatever_it_holds(text: str) -> None:
    (token,) = tokens(literal(text))
    assert (token.kind, token.text) == (Kind.STRING, text)


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_a_delimited_name_is_folded_and_nothing_else(name: str) -> None:
    (token,) = tokens(quoted(name))
    assert (token.kind, token.text) == (Kind.QUOTED, name.lower())


@given(st.text())
def test_tokens_cover_the_source_in_order_or_it_is_refused(sql: str) -> None:
    try:
        found = tokens(sql)
    except SqlError as error:
        assert error.sqlstate == "42601"
        return
    ends = [0, *(place for token in found for place in (token.start, token.end))]
    assert ends == sorted(ends)


def test_comments_nest_and_hide_what_they_hold() -> None:
    assert [token.text for token in tokens("a /* b /* ; */ ' */ -- c'\n d")] == ["a", "d"]


def test_dollar_quotes_keep_their_text() -> None:
    assert [token.text for token in tokens("$x$it's $$ $x$ $1")] == ["it's $$ ", "$1"]


@pytest.mark.parametrize("sql", ["'a", 'select "a', "/* a", "/* /* */"])
def test_what_has_no_end_is_refused(sql: str) -> None:
    with pytest.raises(SqlError) as failure:
        tokens(sql)
    assert failure.value.sqlstate == "42601"


def test_an_error_does_not_repeat_a_string() -> None:
    cursor = Cursor("password 'secret'")
    cursor.take()
    assert "secret" not in cursor.unexpected().message
