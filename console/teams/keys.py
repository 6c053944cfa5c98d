"""What an API key looks like: `fk_live_` or `fk_test_`, 32 random characters, 6 of checksum. The bearer token of a
webhook is made alike, with `fk_hook_`.

32 characters of base 62 are 190 random bits. The checksum is CRC-32 of all before it, so that a mistyped key is refused
without asking anybody, and secret scanners can tell a real key from a look-alike.
"""

import hashlib
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIXES = {"production": "fk_live_", "sandbox": "fk_test_"}
HOOK_PREFIX = "fk_hook_"
_RANDOM, _CHECK = 32, 6
LENGTH = len("fk_live_") + _RANDOM + _CHECK


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), []
    for _ in range(_CHECK):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def generate(environment: str) -> str:
    return _random_key(PREFIXES[environment])


def generate_hook_token() -> str:
    return _random_key(HOOK_PREFIX)


def _random_key(prefix: str) -> str:
    body = prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    return key.startswith(("fk_live_", "fk_test_")) and _is_whole(key)


def is_hook_token(text: str) -> bool:
    return text.startswith(HOOK_PREFIX) and _is_whole(text)


def _is_whole(key: str) -> bool:
    return len(key) == LENGTH and key.isascii() and _checksum(key[:-_CHECK]) == key[-_CHECK:]


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
