import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.reference import load_identity_key, load_skus
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


def key_file(tmp_path: Path, secret: bytes) -> str:
    path = tmp_path / "identity.key"
    path.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(secret).decode()}))
    return str(path)


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    key = load_identity_key(key_file(tmp_path, b"s" * 32))
    assert (key.key_id, key.secret) == ("k1", b"s" * 32)


def test_a_catalogue_gives_its_skus(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.ndjson"
    path.write_text('{"sku":"85123A","name":"HEART","price":255,"currency":"GBP"}\n')
    assert load_skus(str(path)) == {"85123A"}
    assert load_skus("") == frozenset()


@pytest.mark.parametrize("load", [load_identity_key, load_skus])
@pytest.mark.parametrize("content", [None, "", "secret", '{"secret": "secret"}', "[]", "\udcff"])
def test_a_broken_file_is_one_line_that_names_it(
    tmp_path: Path, load: Callable[[str], object], content: str | None
) -> None:
    path = tmp_path / "broken"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match="broken") as raised:
        load(str(path))
    assert "\n" not in str(raised.value)


def test_a_short_or_missing_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="32 bytes"):
        load_identity_key(key_file(tmp_path, b"short"))
    with pytest.raises(ConfigError, match="key_file"):
        load_identity_key("")
