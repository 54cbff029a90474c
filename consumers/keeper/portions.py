"""Whose manifests come next: every shard gets its turn, however much another has to catch up. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.keeper.store import Place
from consumers.manifests import Manifest


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
    """All places, in the order of their turns: applications as they are listed, so live loads come before a back-fill;
    an application's shards begin with another one each round, so that a full round leaves out others the next time.

    In: shard ids by application.
    """
    order: list[Place] = []
    for application in applications:
        shards = sorted(places.get(application, ()))
        shift = round_number % len(shards) if shards else 0
        order += [(application, shard_id) for shard_id in (*shards[shift:], *shards[:shift])]
    return order


def portion(waiting: Mapping[Place, Sequence[Manifest]], order: Sequence[Place], limits: Limits) -> list[Manifest]:
    """What to take now: one manifest of each place in turn, again and again, until a limit is reached.

    Each place's are in chain order and begin with its first. Never empty unless nothing is waiting.
    """
    chosen: dict[Place, list[Manifest]] = {}
    count = used = 0
    full: set[Place] = set()  # places whose next manifest did not fit: what comes after it has to wait too
    for turn in range(limits.of_shard):
        for place in order:
            queue = waiting.get(place, ())
            if turn >= len(queue) or place in full:
                continue
            size = size_of(queue[turn])
            if count and (count >= limits.manifests or used + size > limits.bytes):
                full.add(place)
                continue
            chosen.setdefault(place, []).append(queue[turn])
            count, used = count + 1, used + size
    return [manifest for manifests in chosen.values() for manifest in manifests]
