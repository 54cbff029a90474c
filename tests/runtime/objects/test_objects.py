import random
import uuid

import pytest

from infra.local.endpoints import Endpoints
from runtime.aws import client
from runtime.errors import ConfigError
from runtime.objects.s3 import S3Objects
from runtime.objects.testing import Fault, MemoryObjects, ObjectsConformance
from runtime.outage import Outage
from runtime.settings import Aws
from runtime.testing import ManualClock


class _Memory:
    prefix = "test"

    def __init__(self) -> None:
        self.objects = MemoryObjects()
        self.unreachable = MemoryObjects()
        self.unreachable.trouble = lambda operation, key: Fault.BEFORE


@pytest.mark.unit
class TestMemoryObjects(ObjectsConformance):
    @pytest.fixture
    def bucket(self) -> _Memory:
        return _Memory()


class _Real:
    def __init__(self, aws: Aws, bucket: str) -> None:
        self.prefix = uuid.uuid4().hex
        self.objects = S3Objects(client("s3", aws), bucket)
        away = Aws(region=aws.region, endpoint="http://127.0.0.1:9", access_key_id="a", secret_access_key="b")
        self.unreachable = S3Objects(client("s3", away, attempts=1), bucket)


@pytest.fixture(scope="module")
def bucket_name(stack: Endpoints) -> str:
    name = f"objects-{random.SystemRandom().randrange(10**9)}"
    client("s3", stack.aws).create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": stack.aws.region}
    )
    return name


@pytest.mark.integration
class TestS3Objects(ObjectsConformance):
    @pytest.fixture
    def bucket(self, stack: Endpoints, bucket_name: str) -> _Real:
        return _Real(stack.aws, bucket_name)


@pytest.mark.integration
def test_a_bucket_that_is_not_there_names_the_setting(stack: Endpoints) -> None:
    objects = S3Objects(client("s3", stack.aws), "no-such-bucket")
    for request in (objects.check, lambda: objects.put("k", b""), lambda: objects.get("k")):
        with pytest.raises(ConfigError, match=r"no-such-bucket.*\[lake\]"):
            request()


@pytest.mark.unit
@pytest.mark.parametrize(("fault", "is_stored"), [(Fault.BEFORE, False), (Fault.SLOW_DOWN, False), (Fault.AFTER, True)])
def test_a_fault_comes_before_or_after_the_effect(fault: Fault, is_stored: bool) -> None:
    objects = MemoryObjects()
    objects.next_faults(fault)
    with pytest.raises(Outage):
        objects.put("key", b"x")
    assert ("key" in objects.stored) is is_stored
    assert objects.put_if_absent("key", b"y") is not is_stored


@pytest.mark.unit
def test_a_slow_request_takes_its_time() -> None:
    clock = ManualClock()
    objects = MemoryObjects(clock=clock, slow_s=30.0)
    objects.next_faults(Fault.SLOW)
    objects.put("key", b"x")
    assert (clock.monotonic(), objects.get("key")) == (30.0, b"x")
