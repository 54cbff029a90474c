"""Looking at a folder often, cheaply, however many finished files lie in it."""

import heapq
import logging
from collections.abc import Callable
from pathlib import Path

from producers.agent.files import FileKey, Found, look_at, not_followed, scan
from runtime.clock import Clock

# Writers append to the newest files; the rest are looked at every second, in case one is taken up again.
BUSY_FILES = 32
THOROUGH_EVERY_S = 1.0

_log = logging.getLogger(__name__)


class Watch:
    """The files of one folder whose names end in one suffix, or that are followed under whatever name."""

    def __init__(self, folder: Path, suffix: str, is_followed: Callable[[FileKey], bool], clock: Clock) -> None:
        self._folder = folder
        self._suffix = suffix
        self._is_followed = is_followed
        self._clock = clock
        self._busy: list[Found] = []
        self._folder_changed_ns = -1
        self._passed_over: set[str] = set()  # names
        self._is_settled = False
        self._thorough_at = clock.monotonic()

    def look(self, *, thorough: bool) -> tuple[list[Found], bool]:
        """The files by name, and whether these are all there are; if not, they are those that changed last.

        All: if `thorough`, when a file has come, gone or been renamed since the last look, and once a second.
        Raises OSError when the folder cannot be listed.
        """
        now = self._clock.monotonic()
        changed_ns = self._folder.stat().st_mtime_ns
        is_new = changed_ns != self._folder_changed_ns
        if not (thorough or is_new or not self._is_settled or now - self._thorough_at >= THOROUGH_EVERY_S):
            looks = [look_at(file.path) for file in self._busy]
            found = [file for file in looks if file is not None]
            return found, False
        if is_new:
            self._say_what_is_passed_over()
        self._folder_changed_ns = changed_ns
        # A folder's time moves in clock ticks (4 ms): what came later in the same tick shows at the next look.
        self._is_settled = not is_new
        self._thorough_at = now
        found = scan(self._folder, self._suffix, self._is_followed)
        self._busy = sorted(heapq.nlargest(BUSY_FILES, found, key=lambda file: file.modified_ns))
        return found, True

    def _say_what_is_passed_over(self) -> None:
        if self._folder_changed_ns < 0:
            _log.info("following *%s in %r", self._suffix, str(self._folder))
        passed_over = set(not_followed(self._folder, self._suffix, self._is_followed))
        for name in sorted(passed_over - self._passed_over):
            _log.warning("%r: not read, its name does not end in %s", name, self._suffix)
        self._passed_over = passed_over
