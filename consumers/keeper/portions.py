"""Whose manifests come next: every shard gets its turn, however much another has to catch up. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from consumers.keeper.store import Place
from consumers.manifests import Manifest

_LED_BY_A_LATER = 4  # one round in so many


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of what one `take` is asked for. A manifest larger than `bytes` goes alone."""

    manifests: int
    bytes: int  # of rows, compressed
    of_shard: int  # manifests of one shard


def size_of(manifest: Manifest) -> int:
    """Bytes of its rows."""
    return sum(file.bytes for file in manifest.data)


def turns(applications: Sequence[str], places: Mapping[str, Sequence[str]], round_number: int) -> list[Place]:
    """All places, in the order of their turns: applications as they are listed, so live loads come before a back-fill,
    but for every fourth round, which a later one leads: none is left out however far another is behind. An
    application's shards begin with another one each round, so that a full round leaves out others the next time.

    In: shard ids by application.
    """
    order: list[Place] = []
    later = applications[1:]
    if later and round_number % _LED_BY_A_LATER == _LED_BY_A_LATER - 1:
        leader = later[round_number // _LED_BY_A_LATER % len(later)]
        applications = [leader, *(each for each in applications if each != leader)]
    for application in applications:
        shards = sorted(places.get(application, ()))
        shift = round_number % len(shards) if shards else 0
        order += [(application, shard_id) for shard_id in (*shards[shift:], *shards[:shift])]
    return order


def portion(waiting: Mapping[Place, Sequence[Manifest]], order: Sequence[Place], limits: Limits) -> list[Manifest]:
    """What to take now: one manifest of each application in turn, again and again, until a limit is reached; those of
    an application are of its places in turn. So one that is far behind, in however many shards, leaves others theirs.

    Each place's are in chain order and begin with its first. Never empty unless nothing is waiting.
    """
    chosen: dict[Place, list[Manifest]] = {}
    count = used = 0
    full: set[Place] = set()  # places whose next manifest did not fit: what comes after it has to wait too
    for place, manifest in _in_turn(waiting, order, limits.of_shard):
        size = size_of(manifest)
        if place in full:
            continue
        if count and (count >= limits.manifests or used + size > limits.bytes):
            full.add(place)
            continue
        chosen.setdefault(place, []).append(manifest)
        count, used = count + 1, used + size
    return [manifest for manifests in chosen.values() for manifest in manifests]


def _in_turn(
    waiting: Mapping[Place, Sequence[Manifest]], order: Sequence[Place], of_shard: int
) -> Iterator[tuple[Place, Manifest]]:
    by_application: dict[str, list[Place]] = {}
    for place in order:
        by_application.setdefault(place[0], []).append(place)
    lines = [
        [(place, waiting[place][n]) for n in range(of_shard) for place in places if n < len(waiting.get(place, ()))]
        for places in by_application.values()
    ]
    for together in zip_longest(*lines):
        yield from (each for each in together if each is not None)
