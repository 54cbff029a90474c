"""Files, and the real Secrets Manager and Parameter Store (of the local stack)."""

import json
import logging
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from consumers.__main__ import consumers
from consumers.keys.document import document_of, parse_keys
from consumers.keys.places import Absent, FilePlace, ParameterPlace, Place, SecretPlace, place_of
from contract.identity import IdentityKey
from infra.local.endpoints import Endpoints
from runtime.aws import client
from runtime.command import EXIT_CONFIG
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Aws

OLD = IdentityKey(key_id="old", secret=b"o" * 32)
NEW = IdentityKey(key_id="new", secret=b"n" * 32)
NOWHERE = Aws(endpoint="http://127.0.0.1:9", access_key_id="x", secret_access_key="y")
SECRET = "c2VjcmV0LXRoYXQtbm9ib2R5LXNoYWxsLWV2ZXItc2VlLTE="


@pytest.fixture(params=["file", "secretsmanager", "ssm"])
def named(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Aws]:
    """A setting whose place is empty, and where AWS is."""
    if request.param == "file":
        return str(tmp_path / "identity.key"), NOWHERE
    stack: Endpoints = request.getfixturevalue("stack")
    return f"{request.param}:/test/{uuid.uuid4().hex}", stack.aws


@pytest.mark.integration
def test_a_place_is_empty_then_made_then_changed_as_a_whole(named: tuple[str, Aws]) -> None:
    place = place_of(*named)
    for missing in (place.read, lambda: place.write(document_of([OLD]))):
        with pytest.raises(Absent, match=r"\[identity\] key"):
            missing()
    place.create(document_of([OLD]))
    assert parse_keys(place_of(*named).read(), "") == (OLD,)
    with pytest.raises(ConfigError, match="is there already"):
        place.create(document_of([NEW]))
    place.write(document_of([NEW]))
    assert parse_keys(place_of(*named).read(), "") == (NEW,)


@pytest.mark.integration
def test_a_rotation_on_every_place(named: tuple[str, Aws]) -> None:
    setting, aws = named
    code, shown, _ = identity(setting, aws, "rotate", "--json")
    assert code == 2
    assert identity(setting, aws, "rotate", "--create", "--dry-run")[0] == 0
    with pytest.raises(Absent):
        place_of(setting, aws).read()
    code, shown, _ = identity(setting, aws, "rotate", "--create", "--json")
    (first,) = json.loads(shown)["keys"]
    assert (code, first["effective_at"], first["in_force"]) == (0, None, True)

    code, shown, _ = identity(setting, aws, "rotate", "--effective-at", "2199-01-01T00:00:00+00:00", "--json")
    answer = json.loads(shown)
    assert (code, answer["added"]) == (0, answer["keys"][1]["key_id"])
    keys = parse_keys(place_of(setting, aws).read(), "")
    assert [key.key_id for key in keys] == [each["key_id"] for each in answer["keys"]]
    code, _, complaint = identity(setting, aws, "rotate")
    assert code == 2 and "on its way" in complaint
    code, shown, _ = identity(setting, aws, "forget", keys[1].key_id)
    assert code == 0 and keys[0].key_id in shown
    assert len(parse_keys(place_of(setting, aws).read(), "")) == 1


def identity(setting: str, aws: Aws, *arguments: str) -> tuple[int, str, str]:
    """The command's exit code, stdout and stderr; neither shows a secret of the place."""
    environ = {
        "STOREPULSE_SETTINGS": "/dev/null",
        "STOREPULSE_IDENTITY_KEY": setting,
        **{f"STOREPULSE_AWS_{name.upper()}": str(getattr(aws, name)) for name in Aws.__dataclass_fields__},
    }
    done = CliRunner().invoke(consumers, ["identity", *arguments], env=environ)
    refused = done.exception if isinstance(done.exception, ConfigError) else ""
    complaint = f"{refused}{done.stderr}"
    try:
        held = json.loads(place_of(setting, aws).read())["keys"]
    except Absent:
        held = []
    assert not [key for key in held if key["secret"] in done.stdout + complaint]
    return (EXIT_CONFIG if refused else done.exit_code), done.stdout, complaint


@pytest.mark.integration
def test_a_parameter_that_is_no_secure_string_is_refused(stack: Endpoints) -> None:
    name = f"/test/{uuid.uuid4().hex}"
    client("ssm", stack.aws).put_parameter(Name=name, Value=document_of([OLD]).decode(), Type="String")
    with pytest.raises(ConfigError, match="make it a SecureString"):
        place_of(f"ssm:{name}", stack.aws).read()


@pytest.mark.integration
def test_a_secret_is_found_by_its_arn_and_may_be_binary(stack: Endpoints) -> None:
    made = client("secretsmanager", stack.aws).create_secret(Name=uuid.uuid4().hex, SecretBinary=document_of([OLD]))
    assert parse_keys(place_of(f"secretsmanager:{made['ARN']}", stack.aws).read(), "") == (OLD,)


class Manager:
    """Secrets Manager with one secret, as a deployment makes it: without a value."""

    def __init__(self) -> None:
        self.values: list[str] = []

    def create_secret(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": "ResourceExistsException"}}, "CreateSecret")

    def describe_secret(self, **_: Any) -> dict[str, Any]:
        return {"VersionIdsToStages": {"v1": ["AWSCURRENT"]}} if self.values else {}

    def put_secret_value(self, *, SecretString: str, **_: Any) -> None:
        self.values.append(SecretString)


@pytest.mark.unit
def test_the_first_key_goes_into_the_empty_secret_of_a_deployment_and_no_other_does() -> None:
    manager = Manager()
    place = SecretPlace(manager, "storepulse/identity")
    place.create(document_of([OLD]))
    assert manager.values == [document_of([OLD]).decode()]
    with pytest.raises(ConfigError, match="is there already"):
        place.create(document_of([NEW]))
    assert len(manager.values) == 1


@pytest.mark.unit
def test_a_parameter_that_is_written_keeps_its_key_and_tier() -> None:
    put: dict[str, Any] = {}

    class Store:
        def describe_parameters(self, **_: Any) -> Any:
            return {"Parameters": [{"KeyId": "alias/ours", "Tier": "Advanced"}]}

        def put_parameter(self, **given: Any) -> None:
            put.update(given)

    ParameterPlace(Store(), "/k").write(b"{}")
    assert (put["KeyId"], put["Tier"], put["Type"]) == ("alias/ours", "Advanced", "SecureString")


@pytest.mark.unit
@pytest.mark.parametrize("setting", ["secretsmanager:x", "ssm:/x"])
def test_a_service_that_is_away_is_an_outage(setting: str) -> None:
    with pytest.raises(Outage):
        place_of(setting, NOWHERE).read()


@pytest.mark.unit
@pytest.mark.parametrize(
    "setting",
    ["", "ssm:", "secretsmanager:", SECRET, SECRET[:-1], '{"key_id": "k1", "secret": "' + SECRET + '"}', "a\0b"],
)
def test_a_setting_that_is_no_place_says_what_it_takes_and_is_not_shown(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"\[identity\] key") as raised:
        place_of(setting, NOWHERE).read()
    assert SECRET[:-1] not in str(raised.value)


@pytest.mark.unit
def test_what_a_service_says_of_a_value_that_it_refuses_is_not_repeated() -> None:
    from botocore.exceptions import ClientError

    def refuse(**given: Any) -> None:
        text = f"Value '{given.get('Value') or given.get('SecretString')}' failed to satisfy constraint"
        raise ClientError({"Error": {"Code": "ValidationException", "Message": text}}, "Put")

    class Service:
        put_parameter = put_secret_value = staticmethod(refuse)

        def describe_parameters(self, **_: Any) -> Any:
            return {"Parameters": [{}]}

    places: list[Place] = [ParameterPlace(Service(), "/k"), SecretPlace(Service(), "k")]
    for place in places:
        with pytest.raises(ConfigError, match="ValidationException") as raised:
            place.write(SECRET.encode())
        assert SECRET not in str(raised.value) and raised.value.__cause__ is None


@pytest.mark.unit
def test_a_file_keeps_its_mode_and_a_new_one_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    place = FilePlace(path)
    place.create(b"1")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    place.write(b"2")
    assert (path.stat().st_mode & 0o777, place.read()) == (0o640, b"2")
    with pytest.raises(ConfigError, match="directory"):
        FilePlace(tmp_path).read()


@pytest.mark.unit
def test_no_log_of_a_look_holds_a_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from zoneinfo import ZoneInfo

    from consumers.keys.ring import KeyRing
    from runtime.testing import ManualClock

    caplog.set_level(logging.DEBUG)
    path = tmp_path / "identity.key"
    path.write_bytes(document_of([replace_secret(OLD)]))
    ring = KeyRing(FilePlace(path), ZoneInfo("UTC"), ManualClock())
    ring.look()
    assert caplog.records and "planted" not in caplog.text + repr(ring.at(ManualClock().now()))


def replace_secret(key: IdentityKey) -> IdentityKey:
    return IdentityKey(key_id=key.key_id, secret=b"planted" * 6)
