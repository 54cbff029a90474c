"""Many user records in one stream record, in the format of the Kinesis Producer Library.

    F3 89 9A C2 + protobuf (messages.proto) + MD5 of the protobuf (16 raw bytes)

Firehose, the KCL and our own readers open it; Lambda's event source and Redshift's streaming ingestion do not.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf.message import DecodeError

from contract.kpl.messages_pb2 import AggregatedRecord

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST_BYTES = 16
OUTER_KEY = "a"  # partition key of every aggregate; its explicit hash key decides on the shard
LARGEST_HASH_KEY = (1 << 128) - 1


class UserRecord(NamedTuple):
    """One record as its sender meant it."""

    partition_key: str
    data: bytes
    explicit_hash_key: int | None = None

    @property
    def hash_key(self) -> int:
        """Where it belongs among the shards' hash ranges."""
        explicit = self.explicit_hash_key
        return hash_key_of(self.partition_key) if explicit is None else explicit


def hash_key_of(partition_key: str) -> int:
    """Kinesis's own: MD5 of the UTF-8 key, big-endian."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest(), "big")


def aggregated(records: Sequence[UserRecord]) -> bytes:
    """Data of the one stream record that carries `records`, of which there are two or more (one travels as it is)."""
    message = AggregatedRecord()
    keys: dict[str, int] = {}
    hash_keys: dict[int, int] = {}
    add = message.records.add
    for key, data, explicit in records:
        index = keys.setdefault(key, len(keys))
        if explicit is None:
            add(partition_key_index=index, data=data)
        else:
            add(
                partition_key_index=index,
                explicit_hash_key_index=hash_keys.setdefault(explicit, len(hash_keys)),
                data=data,
            )
    message.partition_key_table.extend(keys)
    message.explicit_hash_key_table.extend(str(hash_key) for hash_key in hash_keys)
    body = message.SerializeToString()
    return b"".join((MAGIC, body, hashlib.md5(body, usedforsecurity=False).digest()))


class UserColumns(NamedTuple):
    """User records, in order: place n of each column is of record n. A reader needs no object of each."""

    partition_keys: list[str]
    data: list[bytes]
    explicit_hash_keys: list[int | None]


def opened(data: bytes) -> list[UserRecord] | None:
    """What an aggregate carries, in order; None for a record that is none, see `opened_columns`. Raises nothing."""
    columns = opened_columns(data)
    return None if columns is None else [UserRecord(*each) for each in zip(*columns, strict=True)]


def opened_columns(data: bytes) -> UserColumns | None:
    """What an aggregate carries; None for a record that is none. Raises nothing.

    None too for one that is damaged: the digest, the protobuf, or an index beyond its table. It is then an ordinary
    record whose bytes happen to be strange, and what reads it says so.
    """
    if not data.startswith(MAGIC) or len(data) <= len(MAGIC) + _DIGEST_BYTES:
        return None
    body, digest = data[len(MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.md5(body, usedforsecurity=False).digest() != digest:
        return None
    try:
        message = AggregatedRecord.FromString(body)
        keys = list(message.partition_key_table)
        hash_keys = [int(text) for text in message.explicit_hash_key_table]
        records = list(message.records)
        return UserColumns(
            [keys[record.partition_key_index] for record in records],
            [record.data for record in records],
            [
                hash_keys[record.explicit_hash_key_index] if record.HasField("explicit_hash_key_index") else None
                for record in records
            ],
        )
    except (DecodeError, ValueError, IndexError):
        return None
