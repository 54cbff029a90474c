"""Which errors of AWS ask for patience, and which for the operator."""

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from runtime.aws import client
from runtime.aws_errors import naming_outages, one_line
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Aws

pytestmark = pytest.mark.unit

URL = "http://127.0.0.1:1"


def refusal(code: str, status: int = 400, message: str = "no") -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetRecords")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
        CredentialRetrievalError(provider="iam-role", error_msg="timeout"),
        ResponseParserError("<html>"),
        refusal("InternalFailure", 500),
        refusal("Anything", 503),
        refusal("", 503),
        refusal("ExpiredTokenException"),
        refusal("ThrottlingException"),
        refusal("ProvisionedThroughputExceededException"),
    ],
)
def test_trouble_that_passes_is_an_outage(error: Exception) -> None:
    with pytest.raises(Outage), naming_outages():
        raise error


def test_an_outage_names_the_call_and_the_code_but_quotes_no_answer() -> None:
    with pytest.raises(Outage, match=r"^GetRecords: 502$"), naming_outages():
        raise refusal("", 502, "<html>\nC-1 bought\n</html>")
    with pytest.raises(Outage, match=r"^an answer that is not the service's$"), naming_outages():
        raise ResponseParserError("Unable to parse response: C-1 bought")


@pytest.mark.parametrize("error", [NoCredentialsError(), refusal("AccessDeniedException"), BotoCoreError()])
def test_what_waiting_does_not_mend_goes_to_the_operator(error: BotoCoreError | ClientError) -> None:
    with pytest.raises(ConfigError), naming_outages():
        raise error


def test_other_refusals_stay_as_they_are() -> None:
    with pytest.raises(ClientError), naming_outages():
        raise refusal("ResourceNotFoundException")


def test_a_text_of_many_lines_becomes_one() -> None:
    assert one_line(refusal("Any", 400, "first\nsecond")).endswith("first")


@pytest.mark.parametrize(
    "aws",
    [
        Aws(kinesis_endpoint="nonsense"),
        Aws(kinesis_endpoint="http://"),
        Aws(access_key_id="only", kinesis_endpoint=URL),
    ],
)
def test_settings_that_make_no_client_are_one_line(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"no client for kinesis: .*\[aws\] kinesis_endpoint"):
        client("kinesis", aws)
