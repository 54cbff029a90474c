import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.redshift.splitting import split

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("", []),
        (" ;; -- nothing\n ; /* nor here */", []),
        ("select 1", ["select 1"]),
        ("select 1; select 2;", ["select 1", "select 2"]),
        ("select ';'; select \";\"", ["select ';'", 'select ";"']),
        (r"select 'it\'s;'; select 2", [r"select 'it\'s;'", "select 2"]),
        ("select 'it''s;'; select 2", ["select 'it''s;'", "select 2"]),
        ("select 1 -- ; no\n; select 2", ["select 1 -- ; no", "select 2"]),
        ("select /* ; /* ; */ ; */ 1; select 2", ["select /* ; /* ; */ ; */ 1", "select 2"]),
        ("unload ($$select ';'$$) to 'x'; b", ["unload ($$select ';'$$) to 'x'", "b"]),
        ("a $tag$ ; $$ ; $tag$ b; c", ["a $tag$ ; $$ ; $tag$ b", "c"]),
        ("select $1, $2; select $1", ["select $1, $2", "select $1"]),
        ("'never closed; b", ["'never closed; b"]),
        ("/* never closed; b", []),
        ("a; /* first */ b", ["a", "/* first */ b"]),
    ],
)
def test_statements_end_where_a_semicolon_stands_for_itself(sql: str, statements: list[str]) -> None:
    assert split(sql) == statements


@given(st.text(alphabet="ab;'\"\\$-/* \n"))
def test_any_text_is_split_and_no_word_is_lost(sql: str) -> None:
    kept = "".join(split(sql))
    if not any(mark in sql for mark in ("'", '"', "$", "--", "/*")):
        assert [c for c in kept if c in "ab"] == [c for c in sql if c in "ab"]


_PIECES = st.sampled_from(
    ["select 1", "select 'a;b'", 'x ";" y', "f($$;$$)", "a /* ; */ b", "insert into t values (1)"]
)


@given(st.lists(_PIECES, max_size=8))
def test_what_is_joined_comes_apart_again(pieces: list[str]) -> None:
    assert split(";\n".join(pieces)) == pieces
