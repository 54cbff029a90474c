"""What COPY is told."""

import datetime as dt
import json

import pytest

from consumers.manifests import DataFile
from consumers.warehouse.copying import Load, Source, manifest_object
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

FILE = DataFile(table="orders", day=dt.date(2026, 11, 27), key="data/a=b/c.parquet", bytes=12, rows=3, sha256="0")
ROLE = "arn:aws:iam::123456789012:role/lake-reader"


def test_a_manifest_demands_each_file_with_its_length():
    load = Load(table="orders", version=1, files=[FILE])
    assert json.loads(Source(bucket="lake", role="").manifest(load)) == {
        "entries": [{"url": "s3://lake/data/a=b/c.parquet", "mandatory": True, "meta": {"content_length": 12}}]
    }


def test_each_attempt_has_an_object_of_its_own():
    load = Load(table="orders", version=1, files=[FILE])
    assert manifest_object("first", load) != manifest_object("second", load)


@pytest.mark.parametrize(
    ("role", "clause"), [("", "IAM_ROLE default"), (ROLE, f"IAM_ROLE '{ROLE}'"), (f"{ROLE},{ROLE}", f"'{ROLE},{ROLE}'")]
)
def test_copy_reads_by_the_role_given_or_the_clusters_own(role, clause):
    statement = Source(bucket="lake", role=role).statement("stage_orders", "copy/1/orders.manifest")
    assert statement.startswith("COPY stage_orders FROM 's3://lake/copy/1/orders.manifest' IAM_ROLE ")
    assert clause in statement
    assert statement.endswith(" FORMAT AS PARQUET MANIFEST")


@pytest.mark.parametrize("role", ["me", f"{ROLE}' x", "arn:aws:iam::1:role/x", f"{ROLE},"])
def test_a_role_that_is_none_is_the_operators_to_mend(role):
    with pytest.raises(ConfigError, match=r"\[warehouse\] iam_role"):
        Source(bucket="lake", role=role)


@pytest.mark.parametrize("bucket", ["", "UPPER", "a'b", "a b"])
def test_a_bucket_that_is_none_is_the_operators_to_mend(bucket):
    with pytest.raises(ConfigError, match=r"\[lake\] bucket"):
        Source(bucket=bucket, role="")


def test_no_other_letters_get_into_the_statement():
    with pytest.raises(ValueError, match="key"):
        Source(bucket="lake", role="").statement("stage_orders", "copy/'; DROP")
