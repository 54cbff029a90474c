"""How long to wait before a request is tried again."""

import random


def full_jitter(attempt: int, rng: random.Random, *, base_s: float = 0.05, cap_s: float = 5.0) -> float:
    """Seconds to wait before retry number `attempt` (from 0): uniform between 0 and the capped exponential.

    Full jitter spreads clients that failed together (AWS Architecture Blog, "Exponential Backoff And Jitter").
    """
    return rng.uniform(0.0, min(cap_s, base_s * 2.0 ** min(attempt, 30)))
