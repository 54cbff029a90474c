from typing import Any

import pytest

from infra.local.redshift.subject import Case, Subject, refused, rows
from infra.local.redshift.testing_answers import ANSWERS, REFUSALS
from infra.local.redshift.testing_loads import CASES as LOADS
from infra.local.redshift.testing_sql import CASES

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_its_sql_is_redshifts(subject: Subject, case: Case) -> None:
    case.check(subject)


@pytest.mark.parametrize("case", LOADS, ids=lambda case: case.name)
def test_it_loads_and_unloads_like_redshift(subject: Subject, case: Case) -> None:
    case.check(subject)


def test_the_answers_are_those_of_the_guide(subject: Subject) -> None:
    cursor = subject.cursor()
    wrong: list[Any] = []
    for page, sql, answer in ANSWERS:
        found = rows(cursor, sql)
        if found != [answer] or [type(value) for value in found[0]] != [type(value) for value in answer]:
            wrong.append((page, sql, answer, found))
    assert wrong == []


def test_what_the_guide_refuses_is_refused(subject: Subject) -> None:
    cursor = subject.cursor()
    names = {"table": subject.table("a int, b varchar(9)"), "other": subject.table("a int, b varchar(9)")}
    names["merge"] = f"merge into {names['table']}"
    names["both"] = "when matched then delete when not matched then insert values (s.a, s.b)"
    for _, sqlstate, sql in REFUSALS:
        refused(sqlstate, cursor, sql.format(new=subject.name(), **names))
