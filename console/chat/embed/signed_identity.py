"""Identify a visitor by what their site says: an identity signed with the widget's secret."""

import hashlib
import hmac
import time
import unicodedata

from console.chat.embed.errors import IdentityRefused
from console.chat.models import Widget
from console.core.crypto import SecretUnreadable, decrypt

LONGEST = 200
LONGEST_NAME = 80


def sign(secret: str, identity: str, expires: int | None = None) -> str:
    """Return what the site sends beside an identity: HMAC-SHA256 with the secret, in hexadecimal digits.

    It is of the identity, and of a line with the second since 1970 it ends at, where the site names one. No identity
    has lines, so a signature of one form is none of the other.
    """
    message = identity if expires is None else f"{identity}\n{expires}"
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def vouched(widget: Widget, identity: object, signature: object, expires: object = None) -> str:
    """Return the identity a site vouches for, or refuse it. The reason is for the site's builder, in its console."""
    if not isinstance(identity, str) or not isinstance(signature, str) or not identity:
        raise IdentityRefused("identify() needs the texts id and signature.")
    if len(identity) > LONGEST or any(unicodedata.category(one).startswith("C") for one in identity):
        raise IdentityRefused(f"An identity has at most {LONGEST} characters, and no control characters.")
    if expires is not None and (isinstance(expires, bool) or not isinstance(expires, int) or expires < 0):
        raise IdentityRefused("expires is a whole number: the seconds since 1970 at which the signature ends.")
    try:
        secret = decrypt(widget.identity_secret) if widget.identity_secret else ""
    except SecretUnreadable:
        secret = ""
    if not secret or not hmac.compare_digest(sign(secret, identity, expires).encode(), signature.lower().encode()):
        raise IdentityRefused("The signature does not fit the identity and this widget's secret.")
    if expires is not None and expires <= time.time():
        raise IdentityRefused("The signature has ended; the page gets a new one from its server.")
    return identity


def shown_name(name: object) -> str:
    """Return the name the site gives a visitor, in one line without what could not be seen; nobody vouches for it."""
    if not isinstance(name, str):
        return ""
    kept = "".join(" " if one.isspace() else one for one in name if one.isspace() or one.isprintable())
    return " ".join(kept.split())[:LONGEST_NAME]
