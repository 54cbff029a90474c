"""What has to change, and changing it: all of it, or none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboards.quicksight.account import Account
from dashboards.quicksight.resources import CONTENT_TAG, OWNER_TAG, PREFIX, Resource
from dashboards.quicksight.trouble import Failed
from dashboards.quicksight.visuals import Json
from runtime.errors import ConfigError

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not as it should be. `paths`: what differs in it, where it can be compared."""

    action: Literal["create", "update", "create anew"]  # anew: what is there never came to be
    resource: Resource
    described: Json | None = None
    paths: Sequence[str] = ()


def plan(account: Account, wanted: Sequence[Resource]) -> list[Change]:
    """What `deploy` would do. Changes nothing. Raises ConfigError where an id is taken by something not ours."""
    account.require_subscription()
    changes: list[Change] = []
    for resource in wanted:
        if resource.kind == "group":  # whoever made it: its name is in the settings
            if account.group(resource.id) is None:
                changes.append(Change(action="create", resource=resource))
            continue
        described = account.describe(resource)
        if described is None:
            changes.append(Change(action="create", resource=resource))
            continue
        tags = account.tags(resource, described)
        if tags.get(OWNER_TAG) != PREFIX:
            raise ConfigError(
                f"{resource.name} is there and is not ours: it has no tag {OWNER_TAG}={PREFIX};"
                " rename or delete it, or tag it so if it is to be taken over"
            )
        if _status(described) == "CREATION_FAILED":
            changes.append(Change(action="create anew", resource=resource, described=described))
        elif tags.get(CONTENT_TAG) != resource.content:
            paths = tuple(differing(account.before(resource, described), resource.request))
            changes.append(Change(action="update", resource=resource, described=described, paths=paths))
    return changes


def deploy(account: Account, wanted: Sequence[Resource], say: Say) -> int:
    """Bring QuickSight to what is wanted; how many things changed.

    Whatever fails, an interrupt too, what was done in this run is undone, the newest first, and the error raised again.
    Raises ConfigError and Failed; a Failed says so where something could not be undone.
    """
    changes, undo = plan(account, wanted), list[tuple[str, Callable[[], None]]]()
    try:
        for change in changes:
            _apply(account, change, undo)
            say(f"{change.action} {change.resource.name}: done")
    except BaseException as error:
        left = _undo(undo, say)
        if left:
            raise Failed(f"{error}; and it is half undone: {'; '.join(left)}") from error
        raise
    return len(changes)


def differing(before: Any, after: Any, path: str = "") -> list[str]:
    """Where two requests differ, as far as both have it: `Definition.Sheets[1].Name`."""
    if isinstance(before, dict) and isinstance(after, dict):
        shared = [key for key in after if key in before]
        return [each for key in shared for each in differing(before[key], after[key], f"{path}.{key}".lstrip("."))]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [each for place, (old, new) in pairs for each in differing(old, new, f"{path}[{place}]")]
    return [] if before == after else [path]


def _apply(account: Account, change: Change, undo: list[tuple[str, Callable[[], None]]]) -> None:
    resource, described = change.resource, change.described
    if resource.kind == "group":
        account.create_group(resource)
        undo.append((f"delete {resource.name}", lambda: account.delete_group(resource.id)))
        return
    if change.action == "update" and described is not None:
        _note(account, resource, described, undo)
        account.update(resource, resource.request)
        account.permit(resource, resource.permissions)
    else:
        if change.action == "create anew":
            account.delete(resource)
        # Before it is tried: a creation that fails leaves a thing behind.
        undo.append((f"delete {resource.name}", lambda: account.delete(resource)))
        account.create(resource)
    if resource.schedules or resource.properties:
        account.schedule(resource, resource.schedules, resource.properties)
    found = account.describe(resource)
    if found is None:
        raise Failed(f"{resource.name}: gone just after it was made; somebody else deletes it")
    account.mark(resource, found, resource.content)


def _note(account: Account, resource: Resource, described: Json, undo: list[tuple[str, Callable[[], None]]]) -> None:
    """How to put back what is there: read before anything changes."""
    request, permissions = account.before(resource, described), account.permissions(resource)
    schedules = account.schedules(resource) if resource.kind == "data-set" else []
    content = account.tags(resource, described).get(CONTENT_TAG, "")
    version = described.get("Version", {}).get("VersionNumber")

    def put_back() -> None:
        if resource.kind == "dashboard":
            account.publish(resource, version)
        else:
            account.update(resource, request)
        account.permit(resource, permissions)
        if resource.kind == "data-set":
            account.schedule(resource, schedules, None)
        account.mark(resource, described, content or "unknown")

    undo.append((f"put {resource.name} back", put_back))


def _undo(undo: Sequence[tuple[str, Callable[[], None]]], say: Say) -> list[str]:
    """Each by itself: one that fails stops no other. What could not be undone."""
    left = []
    for name, step in reversed(undo):
        try:
            step()
            say(f"undone: {name}")
        except (ConfigError, Failed) as error:
            left.append(f"{name}: {error}")
    return left


def _status(described: Json) -> str:
    return str(described.get("Status") or described.get("Version", {}).get("Status", ""))
