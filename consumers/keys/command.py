"""`python -m consumers identity`: the keys of customer hashes. Prints ids and times, never a secret."""

import json
from datetime import UTC, datetime
from typing import Any

import click

from consumers.keys.document import document_of, parse_keys
from consumers.keys.places import Absent, Place, place_of
from consumers.keys.rotation import Keys, first_key, next_midnight, with_next_key, without_key
from consumers.settings import IdentitySettings
from runtime.clock import SystemClock
from runtime.command import with_settings
from runtime.errors import ConfigError
from runtime.outage import Outage


@click.group()
def identity() -> None:
    """The keys of customer hashes: which there are, the next one, and an old one's end."""


_as_json = click.option("--json", "as_json", is_flag=True, help="For machines.")
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be.")


@identity.command("list")
@_as_json
@with_settings(IdentitySettings)
def list_keys(settings: IdentitySettings, as_json: bool) -> None:
    """Print the keys and since when each is in force."""
    place = place_of(settings.identity.key, settings.aws)
    _say(place, _read(place), SystemClock().now(), as_json=as_json)


@identity.command()
@click.option("--effective-at", help="Time with zone from which the new key hashes. Default: the shop's next midnight.")
@click.option("--create", is_flag=True, help="Make the place, which is absent, with a first key in it.")
@_dry_run
@_as_json
@with_settings(IdentitySettings)
def rotate(settings: IdentitySettings, effective_at: str | None, create: bool, dry_run: bool, as_json: bool) -> None:
    """Add a key that hashes what arrives from some time on; the others stay."""
    place, now = place_of(settings.identity.key, settings.aws), SystemClock().now()
    if create:
        if effective_at:
            raise ConfigError("--create: the first key is in force at once, without --effective-at")
        keys: Keys = (first_key(now),)
        _require_absent(place)
    else:
        at = _time_of(effective_at) if effective_at else next_midnight(now, settings.shop.zone()).astimezone(UTC)
        keys = with_next_key(_read(place), now, at)
    _put(place, keys, create=create, dry_run=dry_run)
    _say(place, keys, now, as_json=as_json, added=keys[-1].key_id, is_dry_run=dry_run)


@identity.command()
@click.argument("key_id")
@_dry_run
@_as_json
@with_settings(IdentitySettings)
def forget(settings: IdentitySettings, key_id: str, dry_run: bool, as_json: bool) -> None:
    """Drop the oldest key once nothing that it hashed can come again, or one that is not in force yet."""
    place, now = place_of(settings.identity.key, settings.aws), SystemClock().now()
    keys = without_key(_read(place), key_id, now)
    _put(place, keys, create=False, dry_run=dry_run)
    _say(place, keys, now, as_json=as_json, forgotten=key_id, is_dry_run=dry_run)


def _read(place: Place) -> Keys:
    try:
        return parse_keys(place.read(), f"[identity] key {place.name}")
    except Outage as outage:
        raise ConfigError(f"{outage}; run this again once it answers") from outage


def _require_absent(place: Place) -> None:
    try:
        _read(place)
    except Absent:
        return
    raise ConfigError(f"{place.name} holds keys already: rotate without --create")


def _put(place: Place, keys: Keys, *, create: bool, dry_run: bool) -> None:
    if dry_run:
        return
    try:
        (place.create if create else place.write)(document_of(keys))
    except Outage as outage:
        raise ConfigError(f"{outage}; see with `identity list` whether it took effect, then run this again") from outage
    if _read(place) != keys:
        raise ConfigError(f"{place.name} holds other keys now: somebody else changed it; see `identity list`")


def _say(
    place: Place,
    keys: Keys,
    now: datetime,
    *,
    as_json: bool,
    added: str | None = None,
    forgotten: str | None = None,
    is_dry_run: bool = False,
) -> None:
    begun = [key.key_id for key in keys if key.effective_at is None or key.effective_at <= now] or [keys[0].key_id]
    shown: list[dict[str, Any]] = [
        {
            "key_id": key.key_id,
            "effective_at": key.effective_at.isoformat() if key.effective_at else None,
            "in_force": key.key_id == begun[-1],
        }
        for key in keys
    ]
    if as_json:
        changes = {"added": added, "forgotten": forgotten, "dry_run": is_dry_run}
        click.echo(json.dumps({"place": place.name, "keys": shown, **changes}))
        return
    for each in shown:
        mark = ", in force" if each["in_force"] else ", new" if each["key_id"] == added else ""
        click.echo(f"{each['key_id']}: from {each['effective_at'] or 'the first record'} on{mark}")
    if is_dry_run:
        click.echo("nothing was changed")


def _time_of(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--effective-at {text!r} is no time such as 2026-12-01T00:00:00Z") from None
    if at.tzinfo is None:
        raise ConfigError(f"--effective-at {text!r} has no zone: add Z, or +01:00")
    return at.astimezone(UTC)
