"""Looking at folders often, cheaply, however many finished files lie in them."""

import heapq
import logging
import os
from collections.abc import Callable, Sequence

from producers.agent.files import FileKey, Found, look_at, not_followed, scan
from producers.agent.globs import Glob, Names
from runtime.clock import Clock

# Writers append to the newest files; the rest are looked at every second, in case one is taken up again.
BUSY_FILES = 32
THOROUGH_EVERY_S = 1.0
_ABSENT, _UNKNOWN = -1, -2

_log = logging.getLogger(__name__)


class Watch:
    """The files that globs ask for, or that are followed under whatever name in one of their folders.

    Folders may come later, and go.
    """

    def __init__(
        self, globs: Sequence[Glob], is_followed: Callable[[FileKey], bool], clock: Clock, *, is_ours: bool
    ) -> None:
        """`is_ours`: the folders are made for us, and a file in them that nobody reads is worth a warning."""
        self._globs = globs
        self._is_followed = is_followed
        self._clock = clock
        self._is_ours = is_ours
        self._names: dict[str, Names] = {}  # by folder
        self._changed_ns: dict[str, int] = {}  # by folder
        self._busy: list[Found] = []
        self._passed_over: set[str] = set()  # names
        self._is_settled = False
        self._thorough_at = clock.monotonic()
        self.unlisted: dict[str, str] = {}  # folder -> why its files are not known now
        self._has_looked = False

    def look(self, *, thorough: bool) -> tuple[list[Found], bool]:
        """The files by path, and whether these are all there are; if not, they are those that changed last.

        All: if `thorough`, when a file has come, gone or been renamed since the last look, and once a second; unless a
        folder cannot be listed. Raises OSError where a file's size cannot be told.
        """
        now = self._clock.monotonic()
        if not self._has_looked:
            _log.info("following %s", ", ".join(repr(str(glob)) for glob in self._globs))
            self._has_looked = True
        is_due = thorough or not self._is_settled or now - self._thorough_at >= THOROUGH_EVERY_S
        if is_due:
            self._expand()
        changed_ns = {folder: _changed_ns(folder) for folder in self._names}
        is_new = changed_ns != self._changed_ns
        if not (is_due or is_new):
            looks = [look_at(file.path, is_named=file.is_named) for file in self._busy]
            return [file for file in looks if file is not None], False
        self._changed_ns = changed_ns
        # A folder's time moves in clock ticks (4 ms): what came later in the same tick shows at the next look.
        self._is_settled = not is_new
        self._thorough_at = now
        found = self._scan(is_new)
        self._busy = sorted(heapq.nlargest(BUSY_FILES, found, key=lambda file: file.modified_ns))
        return found, not self.unlisted

    def _expand(self) -> None:
        patterns: dict[str, list[str]] = {}
        for glob in self._globs:
            for folder in glob.folders():
                patterns.setdefault(folder, []).append(glob.name)
        if patterns.keys() != self._names.keys():
            self._names = {folder: Names(names) for folder, names in patterns.items()}

    def _scan(self, is_new: bool) -> list[Found]:
        """A file with two names comes once, under the first of them."""
        found: list[Found] = []
        unlisted = {}
        for folder, names in self._names.items():
            if self._changed_ns[folder] == _ABSENT:
                continue
            try:
                found += scan(folder, names.match, self._is_followed)
                if is_new and self._is_ours:
                    self._say_what_is_passed_over(folder, names)
            except FileNotFoundError:  # gone since
                continue
            except OSError as error:
                unlisted[folder] = str(error)
                if folder not in self.unlisted:
                    _log.error("%s: cannot be listed: %s; the other folders go on", folder, error.strerror or error)
        self.unlisted = unlisted
        once: dict[FileKey, Found] = {}
        for file in sorted(found):
            once.setdefault(file.key, file)
        return list(once.values())

    def _say_what_is_passed_over(self, folder: str, names: Names) -> None:
        passed_over = set(not_followed(folder, names.match, self._is_followed))
        asked_for = ", ".join(sorted({glob.name for glob in self._globs if not glob.asks_for_packed}))
        for name in sorted(passed_over - self._passed_over):
            _log.warning("%r: not read, its name is not like %s", name, asked_for)
        self._passed_over = passed_over


def _changed_ns(folder: str) -> int:
    """When a name in it changed last. A folder that is not there may come yet."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 thirty times a second
    except (FileNotFoundError, NotADirectoryError):
        return _ABSENT
    except OSError:  # listing it will say why
        return _UNKNOWN
