"""Which visit a request belongs to, where no cookie says so.

A visit ends after 30 minutes of silence. To know of silence one must remember the request before. But two applications
read a record, one of them again after a crash, and a visitor's requests lie on several shards: verdicts that hang on
memory would differ. So nothing is remembered: a visit is named by the whole address, the agent, and the half-hour of
UTC that the request lies in. This is exact where a visit stays within a half-hour; one that goes on past its end counts
as two, and two visits within one half-hour count as one. People behind one address with one agent are one visitor
either way. A shop that wants better sets a cookie; `HitRow.session_kind` tells which of the two made the session.
"""

from contract.identity import IdentityKey

BY_COOKIE, BY_VISIT = "cookie", "visit"

MINUTES = 30


def visit_of(address: str, agent: str, half_hour: int, key: IdentityKey) -> str:
    """Keyed hash of a visit. `address` is whole here, and cannot be had back from the hash without the key."""
    return key.hash_of("visit", f"{half_hour} {address} {agent}")
