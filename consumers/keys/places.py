"""Where the document of keys lies: a file, a secret of Secrets Manager, a parameter of Systems Manager.

Errors name the place and the service's code for what is wrong. They never quote the service: AWS repeats the value of
a parameter that it refuses.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from runtime.aws import client
from runtime.aws_errors import code_of, naming_outages
from runtime.errors import ConfigError
from runtime.settings import Aws
from runtime.whole_file import write_whole

_SECRETS_MANAGER, _PARAMETERS = "secretsmanager:", "ssm:"
_ABSENT = frozenset({"ResourceNotFoundException", "ParameterNotFound"})
_EXISTS = frozenset({"ResourceExistsException", "ParameterAlreadyExists"})
# No path that an operator writes: somebody has put the secret itself where its place belongs.
_LIKE_A_SECRET = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}|\s*[{\[].*", re.DOTALL)


class Absent(ConfigError):
    """There is nothing at the place."""


class Place(Protocol):
    """One document. Every method raises Outage, and ConfigError for what the operator has to change."""

    @property
    def name(self) -> str:
        """As messages have it."""
        ...

    def read(self) -> bytes:
        """Raises Absent."""
        ...

    def create(self, body: bytes) -> None:
        """Where nothing is yet. Raises ConfigError where something is."""
        ...

    def write(self, body: bytes) -> None:
        """In place of what is there, whole or not at all. Raises Absent."""
        ...


def place_of(setting: str, aws: Aws) -> Place:
    """The place that `[identity] key` names. Raises ConfigError for one that cannot be; nothing is read."""
    if not setting:
        raise ConfigError(
            "[identity] key is not set: customers are stored as keyed hashes only; it takes a file's path,"
            " secretsmanager:NAME-or-ARN or ssm:/NAME"
        )
    kind = next((kind for kind in (_SECRETS_MANAGER, _PARAMETERS) if setting.startswith(kind)), "")
    rest = setting.removeprefix(kind)
    if kind and not rest:
        raise ConfigError(f"[identity] key is {kind} without a name")
    if kind == _SECRETS_MANAGER:
        return SecretPlace(client("secretsmanager", aws), rest)
    if kind == _PARAMETERS:
        return ParameterPlace(client("ssm", aws), rest)
    if _LIKE_A_SECRET.fullmatch(setting) and not setting.startswith(("/", ".")) and not Path(setting).exists():
        raise ConfigError("[identity] key is no place, and may be a secret: it is not shown; it takes a file's path")
    return FilePlace(Path(setting))


class FilePlace:
    """A file, readable by its owner alone where we write it."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def read(self) -> bytes:
        with self._naming():
            return self._path.read_bytes()

    def create(self, body: bytes) -> None:
        with self._naming():
            if self._path.exists():
                raise ConfigError(f"{self.name} is there already")
            write_whole(self._path, body)

    def write(self, body: bytes) -> None:
        with self._naming():
            mode = self._path.stat().st_mode & 0o777
            write_whole(self._path, body, mode=mode)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise Absent(f"[identity] key {self.name}: {error.strerror}") from None
        except OSError as error:
            raise ConfigError(f"[identity] key {self.name}: {error.strerror}") from None
        except ValueError:  # a NUL in it
            raise ConfigError("[identity] key is no path") from None


class SecretPlace:
    """A secret of Secrets Manager, by name or ARN: its current version."""

    def __init__(self, manager: Any, secret: str) -> None:
        self.name = f"{_SECRETS_MANAGER}{secret}"
        self._manager = manager
        self._secret = secret

    def read(self) -> bytes:
        with _naming(self.name):
            answer = self._manager.get_secret_value(SecretId=self._secret)
        text: str | None = answer.get("SecretString")
        return bytes(answer.get("SecretBinary") or b"") if text is None else text.encode()

    def create(self, body: bytes) -> None:
        """Into an empty secret too, as a deployment makes it."""
        with _naming(self.name):
            try:
                self._manager.create_secret(Name=self._secret, SecretString=body.decode())
            except ClientError as error:
                if code_of(error) not in _EXISTS or self._has_versions():
                    raise
                self.write(body)

    def _has_versions(self) -> bool:
        return bool(self._manager.describe_secret(SecretId=self._secret).get("VersionIdsToStages"))

    def write(self, body: bytes) -> None:
        with _naming(self.name):
            self._manager.put_secret_value(SecretId=self._secret, SecretString=body.decode())


class ParameterPlace:
    """A SecureString of Systems Manager's Parameter Store. One that is written keeps its KMS key and its tier."""

    def __init__(self, store: Any, parameter: str) -> None:
        self.name = f"{_PARAMETERS}{parameter}"
        self._store = store
        self._parameter = parameter

    def read(self) -> bytes:
        with _naming(self.name):
            found = self._store.get_parameter(Name=self._parameter, WithDecryption=True)["Parameter"]
        if found["Type"] != "SecureString":
            raise ConfigError(
                f"[identity] key {self.name} is a {found['Type']}, which is stored as it is: make it a SecureString"
            )
        return str(found["Value"]).encode()

    def create(self, body: bytes) -> None:
        self._put(body, Overwrite=False)

    def write(self, body: bytes) -> None:
        with _naming(self.name):
            filters = [{"Key": "Name", "Option": "Equals", "Values": [self._parameter]}]
            found = self._store.describe_parameters(ParameterFilters=filters)["Parameters"]
        if not found:
            raise Absent(f"[identity] key {self.name} is not there")
        kept = {name: found[0][name] for name in ("KeyId", "Tier") if found[0].get(name)}
        self._put(body, Overwrite=True, **kept)

    def _put(self, body: bytes, **options: Any) -> None:
        with _naming(self.name):
            self._store.put_parameter(Name=self._parameter, Value=body.decode(), Type="SecureString", **options)


@contextmanager
def _naming(place: str) -> Iterator[None]:
    try:
        with naming_outages():
            yield
    except ClientError as error:
        code = code_of(error)
        if code in _ABSENT:
            raise Absent(
                f"[identity] key {place} is not there: create it (`python -m consumers identity rotate --create`), or"
                " mend the name or [aws] region"
            ) from None
        if code in _EXISTS:
            raise ConfigError(f"{place} is there already") from None
        raise ConfigError(f"[identity] key {place}: AWS answers {code or 'an error without a code'}") from None
