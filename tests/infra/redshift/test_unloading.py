from collections.abc import Generator
from typing import IO

import pytest

from infra.local.redshift.actions import Unload
from infra.local.redshift.errors import SqlError
from infra.local.redshift.s3 import S3, Object
from infra.local.redshift.unloading import run_unload

pytestmark = pytest.mark.unit


class FullStore(S3):
    """Takes nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find(self, bucket: str, prefix: str) -> list[Object]:
        return []

    def delete(self, bucket: str, keys: object) -> None:
        assert keys == []

    def upload(self, bucket: str, key: str, file: IO[bytes]) -> None:
        self.asked.append(key)
        raise SqlError("XX000", "S3ServiceException: SlowDown")


class OneTable:
    """A session whose query has two columns and rows without an end."""

    def __init__(self) -> None:
        self.ended = False

    def script(self, sql: str) -> str:
        return ""

    def query(self, sql: str, *parameters: str | None) -> list[tuple[str | None, ...]]:
        return [("a", "bigint", "bigint", "f", "f"), ("b", "character varying", "character varying(9)", "f", "f")]

    def copy_out(self, sql: str) -> Generator[bytes, None, None]:
        try:
            for number in range(1 << 40):
                yield f"{number}\tx\\ty\n".encode()
        finally:
            self.ended = True


@pytest.mark.parametrize("kind", ["text", "json", "parquet"])
def test_an_unload_that_fails_ends_its_query(kind: str) -> None:
    session, store = OneTable(), FullStore()
    asked = Unload(sql="select a, b from t", bucket="b", prefix="p/", format=kind, largest_bytes=1 << 20)
    with pytest.raises(SqlError):
        run_unload(asked, session, store)
    assert session.ended
    assert len(store.asked) == 1
