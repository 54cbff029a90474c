"""Settings of looking at letters, and of sending them again."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from consumers.settings import Cold, Identity
from consumers.stages.access.settings import Access
from consumers.stages.rules import Rules
from runtime.settings import Aws, Kafka, Lake, Reference, Seconds, Shop, Streams, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """`[letters]`: looking, and sending again."""

    window_days: Seconds = setting(
        30.0, "how far back it looks without --from: originals are kept so long", unit="days"
    )
    rate: Annotated[float, Meta(gt=0, le=10_000)] = setting(
        200.0, "letters sent in a second: a fifth of what one shard takes, so that the shop's own orders come first"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LookSettings:
    """What `list` and `show` read."""

    aws: Aws = Aws()
    streams: Streams = Streams()
    lake: Lake = Lake()
    cold: Cold = Cold()
    letters: Sending = Sending()


@dataclass(frozen=True, slots=True, kw_only=True)
class LettersSettings:
    """What `mend` and `replay` read: those that judge have to be live's and cold's own."""

    aws: Aws = Aws()
    streams: Streams = Streams()
    kafka: Kafka = Kafka()
    lake: Lake = Lake()
    cold: Cold = Cold()
    shop: Shop = Shop()
    identity: Identity = Identity()
    reference: Reference = Reference()
    access: Access = Access()
    rules: Rules = Rules()
    letters: Sending = Sending()
