"""Trouble of a service that passes by itself, told apart from what does not, and logged once per change."""

import logging
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

from runtime.clock import Clock
from runtime.errors import ConfigError

# Codes below HTTP 500 that ask for patience (botocore's own list of throttles, and the services' error pages).
_PATIENCE = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
    }
)
# Codes that only a change of role, policy or credentials mends.
_DENIED = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)


class Outage(Exception):
    """A service is away: wait, then send the same request again. Whether it took effect is unknown."""


@contextmanager
def naming_outages() -> Iterator[None]:
    """Turns what boto3 raises into Outage where waiting helps, and into ConfigError where access is refused."""
    try:
        yield
    except ClientError as error:
        if _passes(error):
            raise Outage(str(error)) from error
        if error.response["Error"]["Code"] in _DENIED:
            raise ConfigError(f"AWS refuses: {error}; mend the role or the credentials under [aws]") from error
        raise
    except (EndpointError, HTTPClientError, IncompleteReadError, ResponseStreamingError, ResponseParserError) as error:
        raise Outage(str(error)) from error
    except (NoCredentialsError, CredentialRetrievalError) as error:
        raise ConfigError(f"no AWS credentials: {error}; set [aws] access_key_id or give the host a role") from error
    except BotoCoreError as error:
        raise ConfigError(f"AWS client: {error}") from error


def _passes(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or error.response["Error"]["Code"] in _PATIENCE


class Trouble:
    """One kind of trouble of one reader or worker: logs when it begins and when it is over, not in between."""

    def __init__(self, log: logging.Logger, what: str, clock: Clock) -> None:
        self._log = log
        self._what = what
        self._clock = clock
        self._since: float | None = None
        self.attempts = 0  # in a row

    def seen(self, error: Exception) -> None:
        """It happened, for the first time or again."""
        self.attempts += 1
        if self._since is None:
            self._since = self._clock.monotonic()
            self._log.warning("%s waits: %s", self._what, error)

    def over(self) -> None:
        """It went well this time."""
        if self._since is not None:
            waited_s = self._clock.monotonic() - self._since
            self._log.warning("%s goes on after %.1f s and %d tries", self._what, waited_s, self.attempts)
        self._since = None
        self.attempts = 0
