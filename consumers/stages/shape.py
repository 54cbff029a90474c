"""What is wrong with a shape, said without quoting it."""

import re

import msgspec

from consumers.stages.events import Fault
from contract.reasons import Reason

# No event of ours nests deeper than 4. Far under Python's recursion limit, so that the verdict is the same whatever
# the depth of the caller.
DEEPEST = 100

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{\]}]')
_PATH = re.compile(r" - at `(\$[^`]*)`$")
_TOO_LARGE = re.compile(r"(?:Integer value|Number) out of range")
# The decoder's messages may quote a value; these parts of them never do.
_SAFE = re.compile(
    r"Expected `[^`]+`(?:, got `[^`]+`)?(?: of length [<>=]+ \d+)?(?: with a timezone component)?"
    r"|Object missing required field `[^`]+`"
    r"|Invalid RFC3339 encoded datetime"
)


def fault_of(error: Exception) -> Fault:
    """The fault behind a decoder's error: JSON path and expected type only."""
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        return Fault(Reason.NOT_JSON)
    message = str(error)
    path = _PATH.search(message)
    where = path[1] if path else "$"
    if _TOO_LARGE.match(message):
        return Fault(Reason.OUT_OF_RANGE, [where])
    safe = _SAFE.match(message)
    return Fault(Reason.BAD_SHAPE, [f"{where}: {safe[0].replace('`', '')}" if safe else f"{where}: no allowed value"])


def is_too_deep(data: bytes) -> bool:
    """Whether brackets outside strings nest deeper than DEEPEST."""
    if data.count(b"[") + data.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(data):
        first = token[0][:1]
        depth += (first in b"[{") - (first in b"]}")
        if depth > DEEPEST:
            return True
    return False
