"""What judging needs from files: the key of customer hashes, the catalogue."""

import logging
from pathlib import Path
from typing import NamedTuple

import msgspec

from consumers.settings import Identity
from consumers.stages.access.judge import AccessJudge
from consumers.stages.access.settings import Access
from consumers.stages.access.site import load_site
from consumers.stages.orders import OrderJudge
from consumers.stages.rows import ShopFacts
from contract.catalogue import products_from_ndjson
from contract.identity import IdentityKey
from runtime.errors import ConfigError
from runtime.settings import Reference, Shop

_log = logging.getLogger(__name__)

_SHORTEST_SECRET = 32  # bytes, as the hash's own output


class Judges(NamedTuple):
    """The judges that live and cold share, by stream."""

    orders: OrderJudge
    access: AccessJudge


def load_judges(identity: Identity, reference: Reference, shop: Shop, access: Access) -> Judges:
    """Raises ConfigError, see below."""
    facts = ShopFacts(key=load_identity_key(identity.key_file), zone=shop.zone())
    skus = load_skus(reference.catalogue)
    if skus:
        _log.info("%d SKUs in the catalogue", len(skus))
    else:
        _log.warning("no catalogue: SKUs are not checked; set [reference] catalogue")
    return Judges(OrderJudge(skus, facts), AccessJudge(facts, load_site(access.site_rules)))


def load_identity_key(file: str) -> IdentityKey:
    """Raises ConfigError, which never quotes the file."""
    if not file:
        raise ConfigError("[identity] key_file is not set: customers are stored as keyed hashes only")
    try:
        key = msgspec.json.decode(Path(file).read_bytes(), type=IdentityKey)
    except OSError as error:
        raise ConfigError(f"[identity] key_file {file}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ConfigError(f'[identity] key_file {file} is no JSON {{"key_id": ..., "secret": base64}}') from None
    if len(key.secret) < _SHORTEST_SECRET:
        raise ConfigError(f"[identity] key_file {file}: the secret is shorter than {_SHORTEST_SECRET} bytes")
    return key


def load_skus(file: str) -> frozenset[str]:
    """SKUs of the catalogue; empty where none is configured. Raises ConfigError for a file that is none."""
    if not file:
        return frozenset()
    try:
        products = products_from_ndjson(Path(file).read_bytes())
    except OSError as error:
        raise ConfigError(f"[reference] catalogue {file}: {error.strerror}; publish it first") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"[reference] catalogue {file} is no list of products, one JSON object a line: {error}"
        ) from None
    if not products:  # half published: taken as it is, it would switch the check off
        raise ConfigError(f"[reference] catalogue {file} lists no product; publish it again")
    return frozenset(product.sku for product in products)
