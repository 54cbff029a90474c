"""Objects in a bucket, as far as the parts of storepulse need them."""

from collections.abc import Iterator
from typing import Protocol


class Objects(Protocol):
    """One bucket. Every method may raise Outage: whether a write took effect is then unknown."""

    def put(self, key: str, body: bytes) -> None:
        """Store it whole; durable on return."""
        ...

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Store it unless there is an object with this key: False, and that one stays as it is.

        False may also mean that an earlier try of the same put has taken effect: read it to know.
        """
        ...

    def get(self, key: str) -> bytes:
        """Raises KeyError for a key that is absent."""
        ...

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """Keys that begin with `prefix` and sort after `after`, in order, a page at a time."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """What stands between `prefix`, which ends in a slash, and the next slash: once each, in order, a page at a
        time, however many keys lie there."""
        ...

    def delete(self, key: str) -> None:
        """Absent on return, whether or not it was there."""
        ...
