import pytest

from infra.local.redshift.subject import Case, Subject
from infra.local.redshift.testing import CASES

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_behaves_like_redshift(subject: Subject, case: Case) -> None:
    case.check(subject)
