"""Settings of the way under AWS's MultiLangDaemon."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from runtime.settings import Seconds, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Kcl:
    """`[kcl]`: what the generated .properties file says beyond the fleet's own settings."""

    release: Literal["2", "3"] = setting(
        "3",
        "major release of the Java KCL; 3 is told to share its table with 2.x workers, and so with ours"
        " (CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X_PHASE1)",
    )
    records_per_read: Annotated[int, Meta(gt=0, le=10_000)] = setting(
        10_000, "stream records of one read, Kinesis's own limit; fewer are less memory in the daemon"
    )
    shutdown_grace_s: Seconds = setting(
        20.0, "how long a daemon that stops waits for its children: a span has to be put within it", unit="s"
    )
