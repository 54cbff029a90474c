from collections.abc import Callable
from typing import Any

import pytest

from infra.local.kinesis.testing import CASES, Subject

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_it_behaves_like_kinesis(client: Any, case: Callable[[Subject], None]) -> None:
    with Subject(client) as subject:
        case(subject)
