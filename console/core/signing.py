"""Signatures of webhooks, over the raw body and its timestamp, so that neither can be changed or replayed.

Ours is `X-Facet-Signature: t=<seconds since 1970>,v1=<hex>` with HMAC-SHA256 over `<t>.<body>`. Grafana signs with a
header of its own, over `<t>:<body>`, when its contact point names a timestamp header.

A sender whose secret is being changed may sign with both, as `t=…,v1=…,v1=…`: one that is right is enough.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping

from console.core.errors import NotSignedIn

TOLERANCE_SECONDS = 300
SHORTEST_SECRET = 16  # of one that somebody gives, in characters
_MOST_SIGNATURES = 4
_STAMP = re.compile(r"[0-9]{1,12}")
OURS = "x-facet-signature"
STANDARD_PREFIX = "whsec_"
GRAFANA, GRAFANA_TIME = "x-grafana-alerting-signature", "x-grafana-alerting-timestamp"


class BadSignature(NotSignedIn):
    """One answer for every kind of wrong: what exactly is wrong is nobody's business but the sender's."""

    code = "bad_signature"
    message = "The signature of this delivery is missing, wrong or too old."


def sign(secret: str, body: bytes, at: int) -> str:
    """Return the header of a delivery."""
    return f"t={at},v1={_digest(secret, f'{at}.'.encode() + body)}"


def standard(secret: str, identity: str, body: bytes, at: int) -> dict[str, str]:
    """Return the headers of the Standard Webhooks specification, for which there are libraries that check them.

    Its secrets are `whsec_` and the key in base64.
    """
    key = base64.b64decode(secret.removeprefix(STANDARD_PREFIX))
    right = hmac.new(key, f"{identity}.{at}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(right).decode()}"
    return {"Webhook-Id": identity, "Webhook-Timestamp": str(at), "Webhook-Signature": signature}


def is_signed(headers: Mapping[str, str]) -> bool:
    """Return whether a delivery carries a signature, whatever it is worth. Names of headers are in small letters."""
    return OURS in headers or GRAFANA in headers


def check(secret: str, body: bytes, headers: Mapping[str, str], *, source: str) -> str:
    """Return what tells this delivery from every other; raises BadSignature."""
    stamp, given, signed = _read(headers, source, body)
    if not _STAMP.fullmatch(stamp) or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
        raise BadSignature
    right = _digest(secret, signed)
    if not any(hmac.compare_digest(one.encode(), right.encode()) for one in given):
        raise BadSignature
    return hashlib.sha256(f"{stamp}.{right}".encode()).hexdigest()


def _read(headers: Mapping[str, str], source: str, body: bytes) -> tuple[str, list[str], bytes]:
    """Return the moment, the signatures, and what was signed."""
    if source == "grafana" and GRAFANA in headers:
        stamp = headers.get(GRAFANA_TIME, "").strip()
        return stamp, [headers[GRAFANA].strip()], f"{stamp}:".encode() + body
    parts = [one.strip().partition("=")[::2] for one in headers.get(OURS, "").split(",")]
    stamps = [value for name, value in parts if name == "t"]
    given = [value for name, value in parts if name == "v1"]
    if len(stamps) != 1 or len(given) > _MOST_SIGNATURES:
        raise BadSignature
    return stamps[0], given, f"{stamps[0]}.".encode() + body


def _digest(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
