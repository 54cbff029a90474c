"""Settings of a replay."""

from dataclasses import dataclass

from producers.agent.settings import Spooling


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """All that `python -m producers replay` reads: the folder that the agent follows."""

    agent: Spooling = Spooling()
