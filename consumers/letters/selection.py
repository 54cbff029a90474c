"""Which objects of an event a JMESPath expression selects, in place.

JMESPath answers with values, not with places. But fields, indices, slices, filters, projections and pipes, and
functions such as `max_by`, `sort_by` and `reverse`, hand on the very objects of the document; what makes new ones
(`{a: b}`, `merge`, a literal) does not. So an object of the answer is found in the document by being the same object,
and what is not in the document is an error: it has no place that could be patched.
"""

from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from consumers.letters.merge_patch import Json
from runtime.errors import ConfigError

Place = tuple[str | int, ...]  # from the event's root: names and indices


class Unselectable(Exception):
    """The answer holds something that no patch can be applied to, in this event. The text never quotes a value."""


class Selection:
    """One expression, compiled."""

    def __init__(self, expression: str) -> None:
        """Raises ConfigError for what is no JMESPath."""
        self.expression = expression
        try:
            self._compiled = jmespath.compile(expression)
        except (JMESPathError, ValueError) as error:
            why = str(error).partition("\n")[0]
            raise ConfigError(f"--select {expression!r} is no JMESPath: {why}; see https://jmespath.org") from error

    def places(self, document: dict[str, Json]) -> list[Place]:
        """The objects that it selects, each once, in the order of the answer. Raises Unselectable.

        The answer may be one object, or a list of objects; null and an empty list select nothing.
        """
        try:
            answer = self._compiled.search(document)
        except JMESPathError as error:
            raise Unselectable(f"the selection fails: {type(error).__name__}") from error
        if answer is None:
            return []
        known: dict[int, Place] = {}
        _find_objects(document, (), known)
        found: list[Place] = []
        for each in answer if isinstance(answer, list) else [answer]:
            if not isinstance(each, dict):
                kind = "null" if each is None else type(each).__name__
                raise Unselectable(f"it selects a {kind}: select the objects around, and patch their fields")
            if id(each) not in known:
                raise Unselectable("it makes objects that the event does not have: select some of the event's own")
            if known[id(each)] not in found:
                found.append(known[id(each)])
        for place in found:
            if any(other != place and place[: len(other)] == other for other in found):
                raise Unselectable("it selects an object and another one within it: patch them one after the other")
        return found


def shown(place: Place) -> str:
    """`lines[0].sku`, or `@` for the event itself."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".") or "@"


def replaced(document: dict[str, Json], place: Place, value: Json) -> dict[str, Json]:
    """The document with `value` at `place`, which it has."""
    if not place:
        assert isinstance(value, dict)
        return value
    holder: Any = document
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = value
    return document


def _find_objects(value: Json, place: Place, known: dict[int, Place]) -> None:
    """The place of every object, by the object. Depth is bounded: the reader of events refuses what is deeper."""
    if isinstance(value, dict):
        known[id(value)] = place
        for name, each in value.items():
            _find_objects(each, (*place, name), known)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _find_objects(each, (*place, index), known)
