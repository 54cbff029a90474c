"""From a sealed span to its manifest: the objects, then the one put that makes them count."""

import logging

from consumers.manifests import Manifest, manifest_key
from consumers.spans.chain import Chain
from consumers.spans.span import Sealed
from runtime.effects import Effect
from runtime.errors import ConfigError
from runtime.objects import Objects
from runtime.outage import Outage

_log = logging.getLogger(__name__)


class Commit:
    """One span's. May be run again after an Outage: the same keys, the same bytes, and what is done is not repeated."""

    def __init__(self, sealed: Sealed, lake: Objects, restricted: Objects, chain: Chain, effect: Effect) -> None:
        self.sealed = sealed
        self._lake = lake
        self._restricted = restricted
        self._chain = chain
        self._effect = effect
        self._left = [(lake, key, body) for key, body in sealed.lake.items()]
        self._left += [(restricted, key, body) for key, body in sealed.restricted.items()]

    def run(self) -> Manifest:
        """Put what is left, then the manifest. Returns it; or the end of the chain where another worker was first.

        Raises Outage: run it again.
        """
        while self._left:
            bucket, key, body = self._left[0]
            self._effect(f"put {key}")
            bucket.put(key, body)
            self._left.pop(0)
        manifest = self.sealed.manifest
        self._effect(f"append {manifest_key(manifest.application, manifest.shard_id, manifest.previous)}")
        standing = self._chain.append(manifest)
        if standing.span_id == manifest.span_id:
            return manifest
        for further in self._chain.after(standing.last):
            standing = further
        return standing

    def discard(self) -> None:
        """Another worker's manifest stands: these objects will never count. What cannot be deleted now stays."""
        for bucket, keys in ((self._lake, self.sealed.lake), (self._restricted, self.sealed.restricted)):
            for key in keys:
                self._effect(f"delete {key}")
                try:
                    bucket.delete(key)
                except (Outage, ConfigError) as error:  # a role may well be allowed to add alone
                    _log.warning("%s stays, though it counts for nothing: %s", key, error)
