"""What the agent can be told."""

from dataclasses import dataclass

from runtime.settings import Aws, Kafka, Streams, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooling:
    """Where the lines come from, and how eagerly they are taken."""

    spool: str = setting(".storepulse/spool", "folder whose *.ndjson files are followed; made if missing")
    state: str = setting(".storepulse/agent", "folder of the agent's checkpoints and refused lines; made if missing")
    instance: str = setting("", "begins every file id; empty: the host's name")
    aggregate: bool = setting(
        True,
        "many lines a Kinesis record, in KPL's format: a third of the CPU, and order within a key; false for readers"
        " that do not open it (Lambda's event source, Redshift streaming)",
    )
    poll_s: float = setting(0.03, "pause between looks at the folder: new lines are seen within it", unit="s")
    state_every_s: float = setting(
        0.2, "longest time that the checkpoint on disk trails; a crash sends that much again", unit="s"
    )
    start_patience_s: float = setting(
        60.0,
        "how long a start waits for a stream that is away: longer than a part takes to restart; then the agent ends,"
        " and a service manager starts it again",
        unit="s",
    )
    heartbeat_s: float = setting(
        10.0, "pause between heartbeats of a file that is being sent: how far the account trails", unit="s"
    )
    heartbeat_idle_s: float = setting(
        60.0, "the same for a file that rests and is not final yet: shows that its agent lives", unit="s"
    )
    final_after_s: float = setting(
        300.0,
        "a file read to its end is called final after so long without news, longer than a quiet shop's pauses; one that"
        " grows again just gets further heartbeats",
        unit="s",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Settings of `python -m producers agent`."""

    aws: Aws = Aws()
    kafka: Kafka = Kafka()
    streams: Streams = Streams()
    agent: Spooling = Spooling()
