"""What a run intends, written to its folder before it begins."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from loadtests.shapes import Shape
from runtime.errors import ConfigError
from runtime.whole_file import write_whole

PROBES_A_SECOND = 10.0  # of all senders together
PLANTED = 0.01
TWICE = 0.002


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A run. Rates are a second, of all processes together."""

    run_id: str  # begins every event id
    seed: int
    shape_name: str
    orders: Shape  # of the event users
    visits: Shape | None  # of the shoppers; None: no shop
    planted: float = PLANTED  # share of lines that are bad on purpose
    twice: float = TWICE  # share of orders that are emitted twice
    senders: int = 1
    processes: int = 1  # of Locust, on all machines
    viewers: int = 3
    analysts: int = 1
    into: Literal["spool", "stream"] = "spool"
    settings_file: str  # where the stack is
    shop_url: str = ""
    board_url: str = ""
    is_local: bool = True  # on a stack of its own


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run writes: the plan, what each sender did, and what was seen meanwhile."""

    root: Path

    @property
    def plan_file(self) -> Path:
        return self.root / "plan.json"

    @property
    def intended(self) -> Path:
        """One file a sender: every line that it wrote."""
        return self.root / "intended"

    @property
    def probes(self) -> Path:
        """One file a sender: those of its lines whose way is timed."""
        return self.root / "probes"

    @property
    def sightings(self) -> Path:
        """When each probe was seen, by store."""
        return self.root / "sightings.csv"

    @property
    def samples(self) -> Path:
        """Processes, lag and the agent, now and then."""
        return self.root / "samples.ndjson"

    @property
    def requests(self) -> Path:
        """Locust's figures."""
        return self.root / "requests.json"

    @property
    def visits(self) -> Path:
        """Visits to the shop that were due, begun, failed; of a run with a shop."""
        return self.root / "visits.json"

    @property
    def stream_refusals(self) -> Path:
        """Entries that the stream refused, by error code; of a run straight into it."""
        return self.root / "stream_refusals.json"

    @property
    def account(self) -> Path:
        """The last account that was taken."""
        return self.root / "account.json"

    @property
    def home(self) -> Path:
        """Of the stack, where the run has one of its own."""
        return self.root / "home"

    def check_unused(self) -> None:
        """Raises ConfigError where another run has been before."""
        if self.plan_file.exists():
            raise ConfigError(f"{self.root}: a run is in there already; choose another folder with --run")

    def make(self, plan: Plan) -> None:
        """Raises ConfigError where another run has been before, or nothing can be written."""
        self.check_unused()
        try:
            self.make_folders()
            write_whole(self.plan_file, msgspec.json.format(msgspec.json.encode(plan), indent=1))
        except OSError as error:
            raise ConfigError(
                f"{self.root}: cannot be written ({error.strerror}); choose another with --run"
            ) from error

    def make_folders(self) -> None:
        """Raises OSError."""
        for folder in (self.intended, self.probes):
            folder.mkdir(parents=True, exist_ok=True)

    def plan(self) -> Plan:
        """Raises ConfigError for a folder that holds no run."""
        try:
            return msgspec.json.decode(self.plan_file.read_bytes(), type=Plan)
        except OSError as error:
            raise ConfigError(f"{self.root}: no run in there; `python -m loadtests sale-day` makes one") from error
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{self.plan_file}: written by another release, or damaged: {error}") from error
