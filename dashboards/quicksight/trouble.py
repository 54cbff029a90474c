"""What AWS refuses, said so that somebody knows what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError

from runtime.errors import ConfigError

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN = {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch"}
_DENIED = {"AccessDeniedException", "AccessDenied"}


class Failed(Exception):
    """QuickSight did not do a step; its own words are in the message."""


@contextmanager
def naming(step: str) -> Iterator[None]:
    """Errors of boto3 as ConfigError where the operator has to change something, else as Failed."""
    try:
        yield
    except NoCredentialsError as error:
        raise ConfigError(f"{step}: no AWS credentials; log in (`aws sso login`) or set [aws] access_key_id") from error
    except ClientError as error:
        told = error.response.get("Error", {})
        code, message = told.get("Code", ""), told.get("Message", "")
        said = _said(step, code, message)
        raise (ConfigError(said) if said else Failed(f"{step}: {code}: {message}")) from error
    except ParamValidationError as error:
        raise Failed(f"{step}: a request that QuickSight does not take: {error}") from error
    except BotoCoreError as error:
        raise Failed(f"{step}: {error}") from error


def code_of(error: ClientError) -> str:
    """AWS's name of it."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _said(step: str, code: str, message: str) -> str:
    if code in _EXPIRED:
        return f"{step}: the AWS credentials have expired; log in again (`aws sso login`), then run it again"
    if code in _UNKNOWN:
        return f"{step}: AWS does not know these credentials ({message}); see [aws] access_key_id, or your profile"
    if code in _DENIED:
        return f"{step}: access denied: {message}; docs/quicksight.md has the policy that a deployment needs"
    if code == "UnsupportedUserEditionException":
        return (
            f"{step}: this QuickSight subscription is Standard; VPC connections and row-level security need Enterprise"
        )
    if code in {"ResourceExistsException", "ConflictException"}:
        return f"{step}: the name is taken, or something else is changing it now: {message}"
    if code == "QuickSightUserNotFoundException":
        return f"{step}: {message}; sign in to QuickSight once with this identity, or name other groups"
    if code == "LimitExceededException":
        return f"{step}: a limit of the account is reached: {message}; ask AWS for more, or for more SPICE"
    return ""
