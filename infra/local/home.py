"""The one folder that holds everything local."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.settings import Local
from runtime.errors import ConfigError

PROJECT = Path(__file__).resolve().parents[2]

MIB = 1 << 20

# What `reset` deletes, named one by one: the home may be the operator's own and hold other things.
_FOLDERS = ("data", "logs", "spool", "access", "agent")
_FILES = (
    "settings.toml",
    "state.json",
    "identity.key",
    "warehouse.password",
    "catalogue.ndjson",
    "customers.ndjson",
    "access.log",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where things are. `root` and `downloads` are absolute."""

    root: Path
    downloads: Path

    @classmethod
    def of(cls, local: Local, root: Path | None = None) -> "Home":
        """The home that the settings name; `root`, from the command line, wins."""
        root = (root or Path(local.home)).absolute()
        return cls(root=root, downloads=Path(local.downloads).absolute() if local.downloads else root / "downloads")

    @property
    def settings_file(self) -> Path:
        """All endpoints, for every other command."""
        return self.root / "settings.toml"

    @property
    def state_file(self) -> Path:
        """What runs."""
        return self.root / "state.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def identity_key(self) -> Path:
        """The secret behind customer hashes."""
        return self.root / "identity.key"

    @property
    def warehouse_password(self) -> Path:
        """The password of the local Redshift's one user."""
        return self.root / "warehouse.password"

    @property
    def spool(self) -> Path:
        """Where the shop appends its orders."""
        return self.root / "spool"

    @property
    def access_log(self) -> Path:
        """Where the shop logs requests: in a folder of its own, which the agent follows."""
        return self.root / "access" / "storefront.log"

    @property
    def agent_state(self) -> Path:
        """Where the agent keeps its checkpoints."""
        return self.root / "agent"

    @property
    def catalogue(self) -> Path:
        """What the shop sells, one product a line."""
        return self.root / "catalogue.ndjson"

    @property
    def customers(self) -> Path:
        """Who buys there, one customer a line."""
        return self.root / "customers.ndjson"

    def log_of(self, name: str) -> Path:
        """Log file of the part `name`."""
        return self.logs / f"{name}.log"

    def has_data_of(self, name: str) -> bool:
        """Whether the part `name` ever ran here."""
        return (self.root / "data" / name).exists()

    def data_of(self, name: str) -> Path:
        """Data folder of the part `name`; made when absent."""
        folder = self.root / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def make(self) -> None:
        """Make the folders. Raises ConfigError when they cannot be written."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.downloads, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass
        except OSError as error:
            raise ConfigError(
                f"{self.root}: cannot be written ({error.strerror}); choose another folder with --home"
            ) from error

    def check_space(self, min_free_mib: int) -> None:
        """Raises ConfigError when home or downloads lie on a disk with less than `min_free_mib` MiB free."""
        for folder in {self.root, self.downloads}:
            free_mib = shutil.disk_usage(folder).free // MIB
            if free_mib < min_free_mib:
                raise ConfigError(
                    f"{folder}: {free_mib} MiB free, the local stack needs {min_free_mib} MiB;"
                    " free some space or choose another folder with --home"
                )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for this process alone. Raises ConfigError when another process holds it.

        The kernel lets go when the process ends, however it ends.
        """
        with (self.root / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise ConfigError(
                    f"{self.root}: a stack runs here already (process {holder});"
                    " stop it with `python -m infra.local down`"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def clear(self) -> None:
        """Delete all data and keep the downloads."""
        for name in _FOLDERS:
            if (self.root / name).exists():
                shutil.rmtree(self.root / name)
        for name in _FILES:
            (self.root / name).unlink(missing_ok=True)
