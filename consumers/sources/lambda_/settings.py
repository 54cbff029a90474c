"""Settings of the Lambda source."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from runtime.settings import Seconds, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaSourceSettings:
    """`[function]`: how one invocation spends its time."""

    run_records: Annotated[int, Meta(gt=0)] = setting(
        2_000,
        "user records that are written together: what is durable when the time is over need not come again, and one"
        " request to the store should not be small",
    )
    patience_s: Seconds = setting(
        10.0,
        "how long one invocation waits for a store that is away: a wait is paid for, and Lambda calls again by itself",
        unit="s",
    )
    margin_s: Seconds = setting(
        5.0,
        "nothing new is begun so close to the function's timeout: an invocation that is cut off has no answer, and all"
        " of its records come again",
        unit="s",
    )
