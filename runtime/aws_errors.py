"""Which errors of boto3 pass by themselves, and which ask for the operator."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as EndpointError,
)
from botocore.parsers import ResponseParserError

from runtime.errors import ConfigError
from runtime.outage import Outage

_PASSING = (
    EndpointError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
    CredentialRetrievalError,  # the instance's own metadata service
)
# Codes below HTTP 500 that pass by themselves (botocore's own list of throttles, the services' error pages; a role's
# token is renewed by botocore).
_PASSING_CODES = frozenset(
    {
        "ExpiredTokenException",
        "InternalFailure",
        "InternalServerError",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ResourceInUseException",
        "ServiceUnavailable",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
    }
)
# Codes that only a change of role, policy or credentials mends.
_DENIED_CODES = frozenset(
    {
        "AccessDeniedException",
        "IncompleteSignature",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)
_SERVER_ERROR = 500


@contextmanager
def naming_outages() -> Iterator[None]:
    """Turns what boto3 raises into Outage where waiting helps, and into ConfigError where the operator must act.

    A ClientError that is neither is left to the caller, who knows what was asked for.
    """
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= _SERVER_ERROR or code in _PASSING_CODES:
            raise Outage(f"{error.operation_name}: {code or status}") from error
        if code in _DENIED_CODES:
            raise ConfigError(
                f"AWS refuses: {one_line(error)}; mend the role or the credentials under [aws]"
            ) from error
        raise
    except ResponseParserError as error:  # its text quotes the answer, which may be anybody's data
        raise Outage("an answer that is not the service's") from error
    except _PASSING as error:
        raise Outage(one_line(error)) from error
    except NoCredentialsError as error:
        raise ConfigError(f"no AWS credentials: {error}; set [aws] access_key_id or give the host a role") from error
    except BotoCoreError as error:
        raise ConfigError(f"AWS client: {one_line(error)}; see [aws] in the settings") from error


def code_of(error: ClientError) -> str:
    """The service's name for the error; empty where it gave none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def one_line(error: Exception) -> str:
    """The error's text up to its first line break: a gateway's error page comes as the text of the error."""
    return str(error).partition("\n")[0]
