"""What the agent can be told."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from runtime.settings import Aws, Kafka, Metrics, Streams, setting

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooling:
    """Where the lines come from, and how eagerly they are taken."""

    spool: str = setting(".storepulse/spool", "folder whose *.ndjson files are followed: orders; made if missing")
    access_logs: str = setting(
        "",
        "globs of web servers' logs, with commas between them, such as /var/log/nginx/*access.log: sent to [streams]"
        " access; empty: none are followed",
    )
    compressed: bool = setting(
        False,
        "also read, once, the .gz and .zst files that rotation makes of those named above; a glob that ends in .gz or"
        " .zst asks for its own",
    )
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
    health_port: Port = setting(0, "TCP port on 127.0.0.1 that answers 200 or 503 with the reasons; 0: none")
    metrics_namespace: str = setting(
        "",
        "CloudWatch namespace of the metrics, such as KinesisProducerLibrary; one PutMetricData a minute; empty: none",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Settings of `python -m producers agent`."""

    aws: Aws = Aws()
    kafka: Kafka = Kafka()
    streams: Streams = Streams()
    agent: Spooling = Spooling()
    metrics: Metrics = Metrics()
