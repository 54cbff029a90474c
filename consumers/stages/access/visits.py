"""Which visit a request belongs to, where no cookie says so.

A visit ends after 30 minutes of silence. To know of silence one must remember the request before. But two applications
read a record, one of them again after a crash, and a visitor's requests lie on several shards: verdicts that hang on
memory would differ. So nothing is remembered: a visit is named by the whole address, the agent, and the half-hour of
UTC that the request lies in. This is exact where a visit stays within a half-hour; one that goes on past its end counts
as two, and two visits within one half-hour count as one. People behind one address with one agent are one visitor
either way. A shop that wants better sets a cookie; `HitRow.session_kind` tells which of the two made the session.
"""

from datetime import datetime

from contract.identity import IdentityKey

BY_COOKIE, BY_VISIT = "cookie", "visit"


def half_hour_of(time: datetime) -> int:
    """The half-hour that a `time` of UTC lies in, counted from the year 1."""
    return time.toordinal() * 48 + time.hour * 2 + (time.minute >= 30)


def visit_of(address: str, agent: str, half_hour: int, key: IdentityKey) -> str:
    """Keyed hash of a visit. `address` is whole here, and cannot be had back from the hash without the key."""
    return key.hash_of("visit", f"{half_hour} {address} {agent}")
