"""The thresholds of a run, from one file."""

from pathlib import Path

import msgspec

from runtime.errors import ConfigError

FILE = Path(__file__).parents[1] / "thresholds.toml"


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As in the file, which says what each means."""

    achieved: float
    on_time: float
    missing: int
    duplicated: int
    misjudged: int
    altered: int
    undetected: int
    foreign: int
    account: bool
    visits_begun: float
    visits_failed: float
    memory_slope_mib: float
    fresh_p99_s: dict[str, float]
    catch_up_s: dict[str, float]


def thresholds(file: Path = FILE) -> Thresholds:
    """Raises ConfigError for a file that is none."""
    try:
        return msgspec.toml.decode(file.read_bytes(), type=Thresholds)
    except OSError as error:
        raise ConfigError(f"{file}: not readable: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{file}: {error}; loadtests/thresholds.toml shows what it holds") from error
