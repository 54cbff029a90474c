import base64
import json
from pathlib import Path

import pytest

from consumers.reference.identity_key import load_identity_key
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


def key_file(tmp_path: Path, secret: bytes) -> str:
    path = tmp_path / "identity.key"
    path.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(secret).decode()}))
    return str(path)


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    key = load_identity_key(key_file(tmp_path, b"s" * 32))
    assert (key.key_id, key.secret) == ("k1", b"s" * 32)


@pytest.mark.parametrize("content", [None, "", "secret", '{"secret": "secret"}', "[]", "\udcff"])
def test_a_broken_file_is_one_line_that_names_it(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "broken"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match="broken") as raised:
        load_identity_key(str(path))
    assert "\n" not in str(raised.value)


def test_a_short_or_missing_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="32 bytes"):
        load_identity_key(key_file(tmp_path, b"short"))
    with pytest.raises(ConfigError, match="key_file"):
        load_identity_key("")
