"""What a partition does not hold: said in words, so that nobody reads past it unawares."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Between where reading was to go on and what Kafka holds."""

    text: str
    advice: str
    may_be_accepted: bool


def gap_at(offset: int, *, oldest: int, end: int) -> Gap | None:
    """None where all from `offset` on is held. In: the oldest offset, and the one that comes next.

    What is missing at the end cannot be accepted: the same offsets come again, with other records.
    """
    if end < offset:
        return Gap(
            text=f"Kafka ends at offset {end}, before {offset}",
            advice="read it as another application",
            may_be_accepted=False,
        )
    if oldest > offset:
        return Gap(
            text=f"Kafka no longer holds offset {offset}, the oldest is {oldest}",
            advice='set [kafka_group] after_trim = "read_on" to accept the gap',
            may_be_accepted=True,
        )
    return None
