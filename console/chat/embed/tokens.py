"""A visitor's token: signed by this installation, it names the widget, the site and the visitor.

It opens the routes of its own widget for an hour. For a week it can be exchanged for a new one, from the same site, so
whoever comes back finds their conversation; that of a visitor whom the site vouches for cannot, as the site vouches
again. The visitor's id is ours, and nothing is written before they say something.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, replace

from django.core import signing
from django.utils.crypto import salted_hmac

from console.chat.models import Widget
from console.core.crypto import SecretUnreadable, decrypt
from console.core.ids import uuid7

SECONDS = 3600
RETURN_SECONDS = 7 * 24 * 3600
# Room for the longest identity and name, whose letters may take twelve bytes each.
LONGEST = 6_000
_SALT = "console.chat.embed.visitor"


@dataclass(frozen=True, slots=True)
class Pass:
    """A visitor of one widget on one site. `identity` is who the site says it is, after its signature was checked."""

    widget: str  # its public id
    origin: str
    visitor: uuid.UUID
    identity: str = ""
    name: str = ""


def mint(*, widget: Widget, origin: str, identity: str = "", name: str = "", before: Pass | None = None) -> str:
    """Return a new token: of the visitor `before` names, else of a new one."""
    if before is None:
        before = Pass(widget.public_id, origin, uuid7(), identity, name)
    held = replace(before, widget=widget.public_id, origin=origin)
    mark = _mark(widget, held.identity)
    return signing.dumps([held.widget, held.origin, held.visitor.hex, held.identity, held.name, mark], salt=_SALT)


def read(token: str, *, widget: Widget, seconds: int = SECONDS) -> Pass | None:
    """Return what a token says, None when it is not ours, of another widget, of a site no longer allowed, or old."""
    if not 0 < len(token) <= LONGEST:
        return None
    try:
        said = signing.loads(token, salt=_SALT, max_age=dt.timedelta(seconds=seconds))
        public_id, origin, visitor, identity, name, mark = said
        held = Pass(public_id, origin, uuid.UUID(visitor), identity, name)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    is_good = held.widget == widget.public_id and held.origin in widget.origins and mark == _mark(widget, identity)
    return held if is_good else None


def _mark(widget: Widget, identity: str) -> str:
    """Return what ties a vouched visitor's token to the secret they were vouched with: a new one ends it."""
    if not identity or not widget.identity_secret:
        return ""
    try:
        secret = decrypt(widget.identity_secret)
    except SecretUnreadable:
        return "unreadable"  # which no token has
    return salted_hmac(_SALT, secret, algorithm="sha256").hexdigest()[:16]


def fingerprint(token_pass: Pass) -> str:
    """Return what tells visitors apart for the provider of a model, without saying who they are."""
    return salted_hmac(_SALT, token_pass.identity or token_pass.visitor.hex, algorithm="sha256").hexdigest()[:32]
