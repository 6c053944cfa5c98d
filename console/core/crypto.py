"""Encrypt stored secrets with keys that are not in the database."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretUnreadable(Exception):
    """A stored secret was encrypted with a key that is not among ENCRYPTION_KEYS."""


def _fernet(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))


def _box() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in settings.ENCRYPTION_KEYS])


def encrypt(plain: str) -> str:
    return _box().encrypt(plain.encode()).decode()


def decrypt(token: str) -> str:
    try:
        return _box().decrypt(token.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable("A stored secret cannot be read with the present ENCRYPTION_KEYS.") from None


def is_token(text: str) -> bool:
    """Return whether something stored was encrypted, by any key: so all such begin."""
    return text.startswith("gAAAAA")


def is_newest(token: str) -> bool:
    """Return whether a secret is encrypted with the first of ENCRYPTION_KEYS."""
    try:
        _fernet(settings.ENCRYPTION_KEYS[0]).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def rotate(token: str) -> str:
    """Return the same secret encrypted with the first of ENCRYPTION_KEYS."""
    try:
        return _box().rotate(token.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable("A stored secret cannot be read with the present ENCRYPTION_KEYS.") from None
