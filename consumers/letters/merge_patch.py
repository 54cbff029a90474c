"""JSON merge patch, RFC 7396: what a patch says is set, what it says is null goes, all else stays."""

from typing import Any

Json = Any  # dict, list, str, int, float, bool or None


def merged(target: Json, patch: Json) -> Json:
    """`target` after `patch`. Neither is changed; the answer shares no object or list with the patch."""
    if not isinstance(patch, dict):
        return _copied(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _copied(value: Json) -> Json:
    """Arrays are taken as they are, nulls in them too."""
    if isinstance(value, list):
        return [_copied(each) for each in value]
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    return value
