"""As whom PostgreSQL runs: it refuses to be root, so under root it gets an operating system user of its own."""

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.redshift.errors import StartError

_NAME = "pgserver"  # the name that the wheel of the binaries itself uses


@dataclass(frozen=True, slots=True, kw_only=True)
class OsUser:
    """The user of the database's files and processes; None where it is simply us."""

    uid: int | None = None
    gid: int | None = None

    def popen(self) -> dict[str, Any]:
        """Arguments for subprocess."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, folder: Path) -> None:
        """Make the folder this user's, closed to all others."""
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)
        folder.chmod(0o700)

    def let_through(self, path: Path) -> None:
        """Let this user pass (not list) the folders above `path`. Nothing to do unless we are root."""
        if self.uid is None:
            return
        for folder in path.resolve().parents:
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)


def os_user() -> OsUser:
    """Ourselves, or the user made for it when we are root. Raises StartError if it cannot be made."""
    if os.geteuid() != 0:
        return OsUser()
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        entry = _made()
    return OsUser(uid=entry.pw_uid, gid=entry.pw_gid)


def _made() -> pwd.struct_passwd:
    try:
        subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", _NAME], check=True, capture_output=True)
        return pwd.getpwnam(_NAME)
    except (OSError, KeyError, subprocess.CalledProcessError) as error:
        raise StartError(f"as root, PostgreSQL needs the system user {_NAME}, which cannot be made: {error}") from error
