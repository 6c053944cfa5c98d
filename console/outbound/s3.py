"""Requests to S3 stores, signed with Signature Version 4. Paths only, no queries."""

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit


class Credentials(NamedTuple):
    region: str
    access_key: str
    secret_key: str


def signed(
    method: str,
    url: str,
    body: bytes,
    credentials: Credentials,
    *,
    at: dt.datetime,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the headers of a request, with the signature over all of them, the host and the body."""
    parts, stamp = urlsplit(url), at.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    sent = {**(headers or {}), "x-amz-content-sha256": digest, "x-amz-date": stamp}
    covered = {"host": parts.netloc} | {name.lower(): value.strip() for name, value in sent.items()}
    names = ";".join(sorted(covered))
    path = quote(unquote(parts.path or "/"), safe="/-_.~")
    told = "".join(f"{name}:{covered[name]}\n" for name in sorted(covered))
    request = f"{method}\n{path}\n\n{told}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{credentials.region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    who = f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}"
    return {**sent, "Authorization": f"{who}, SignedHeaders={names}, Signature={signature}"}
