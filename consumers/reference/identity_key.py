"""The key of customer hashes, from its file."""

from pathlib import Path

import msgspec

from contract.identity import IdentityKey
from runtime.errors import ConfigError

_SHORTEST_SECRET = 32  # bytes, as the hash's own output


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
