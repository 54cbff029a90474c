"""What COPY is told: a manifest object with the files of one table, and the statement that names it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec

from consumers.manifests import DataFile, Manifest
from runtime.errors import ConfigError

PREFIX = "copy/"  # of the manifest objects, in the lake's bucket: of no use after their commit
# COPY takes no parameters: what goes into its text is of these letters alone.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY = re.compile(r"[\w./=-]+", re.ASCII)
_ROLES = re.compile(
    r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=.@/-]+(,arn:aws[\w-]*:iam::\d{12}:role/[\w+=.@/-]+)*", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The files of one table that have the same columns."""

    table: str
    version: int  # of their manifests
    files: Sequence[DataFile]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where COPY reads, and by which right. Raises ConfigError for names that AWS does not allow."""

    bucket: str
    role: str  # ARN, or several of them chained; empty: the cluster's default

    def __post_init__(self) -> None:
        if not _BUCKET.fullmatch(self.bucket):
            raise ConfigError(f"[lake] bucket {self.bucket!r} is no name of a bucket")
        if self.role and not _ROLES.fullmatch(self.role):
            raise ConfigError(
                f"[warehouse] iam_role {self.role!r} is no ARN such as arn:aws:iam::123456789012:role/NAME"
            )

    def manifest(self, load: Load) -> bytes:
        """The manifest object. Each file must be there, with the length that its writer saw (Parquet wants it)."""
        return msgspec.json.encode(
            {
                "entries": [
                    {
                        "url": f"s3://{self.bucket}/{file.key}",
                        "mandatory": True,
                        "meta": {"content_length": file.bytes},
                    }
                    for file in load.files
                ]
            }
        )

    def statement(self, stage: str, key: str) -> str:
        """COPY of the files that the manifest object `key` names."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key of ours: {key!r}")
        role = f"'{self.role}'" if self.role else "default"
        return f"COPY {stage} FROM 's3://{self.bucket}/{key}' IAM_ROLE {role} FORMAT AS PARQUET MANIFEST"


def loads_of(manifests: Iterable[Manifest]) -> list[Load]:
    """The files with rows, by table and version."""
    files = [(file.table, manifest.version, file) for manifest in manifests for file in manifest.data if file.rows]
    files.sort(key=lambda each: each[:2])
    return [
        Load(table=table, version=version, files=[file for _, _, file in group])
        for (table, version), group in groupby(files, key=lambda each: each[:2])
    ]


def manifest_object(commit_id: str, load: Load) -> str:
    """The key of a manifest object: its own for every attempt, so that none reads another's."""
    return f"{PREFIX}{commit_id}/{load.table}-{load.version}.manifest"
