"""A new home sells what it has: its catalogue and its customers are published once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.reference.in_force import SnapshotReference
from consumers.stages.rules import Rules, thresholds_of
from infra.local.endpoints import Endpoints
from infra.local.prepare import prepare_reference
from infra.local.testing import local_stack
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.objects.s3 import S3Objects

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    with local_stack(tmp_path_factory.mktemp("prepare"), parts=("ministack",)) as endpoints:
        yield endpoints


def test_what_the_demo_sells_and_to_whom_is_in_force_at_once(endpoints: Endpoints) -> None:
    bucket = S3Objects(client("s3", endpoints.aws), endpoints.reference.bucket)
    reference = SnapshotReference(bucket, thresholds_of(Rules()), SystemClock(), held=2)
    reference.look()
    facts = reference.at(SystemClock().now())
    assert facts.prices is not None and facts.customers is not None
    assert facts.prices.offers("KT-101", "web", "GBP")[0].price == 1250
    assert all(facts.customers.standing(f"C-{number}") for number in (0, 1, 5_000))
    assert facts.customers.standing("C-5001") is None


def test_what_is_published_stays(endpoints: Endpoints, tmp_path: Path) -> None:
    said: list[str] = []
    prepare_reference(endpoints, said.append)
    assert said == []
