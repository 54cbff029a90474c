"""Which errors of AWS ask for patience, and which for the operator."""

import logging

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from consumers.sources.kinesis.outage import Outage, Trouble, naming_outages
from runtime.errors import ConfigError
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

URL = "http://127.0.0.1:1"


def refusal(code: str, status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetRecords")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
        refusal("InternalFailure", 500),
        refusal("Anything", 503),
        refusal("ThrottlingException"),
        refusal("ProvisionedThroughputExceededException"),
    ],
)
def test_trouble_that_passes_is_an_outage(error: BotoCoreError | ClientError) -> None:
    with pytest.raises(Outage), naming_outages():
        raise error


@pytest.mark.parametrize("error", [NoCredentialsError(), refusal("AccessDeniedException"), BotoCoreError()])
def test_what_waiting_does_not_mend_goes_to_the_operator(error: BotoCoreError | ClientError) -> None:
    with pytest.raises(ConfigError), naming_outages():
        raise error


def test_other_refusals_stay_as_they_are() -> None:
    with pytest.raises(ClientError), naming_outages():
        raise refusal("ResourceNotFoundException")


def test_trouble_is_logged_at_its_beginning_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    trouble = Trouble(logging.getLogger("test"), "reading", clock)
    trouble.over()
    for _ in range(3):
        trouble.seen(Outage("connection refused"))
        clock.advance(2)
    trouble.over()
    trouble.over()
    assert [record.getMessage() for record in caplog.records] == [
        "reading waits: connection refused",
        "reading goes on after 6.0 s and 3 tries",
    ]
