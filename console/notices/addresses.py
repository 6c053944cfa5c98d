"""Validate addresses of channels."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from console.core.errors import BadInput
from console.outbound.guard import check_url

MOST_ADDRESSES, LONGEST_ADDRESS, LONGEST_URL = 20, 254, 1000
_PRINTABLE = re.compile(r"[\x21-\x7e]+\Z")


def checked_url(url: str, *, is_of_team: bool) -> str:
    """Return an address Facet may post to, which may have a query; BadInput says what is wrong with it."""
    url = url.strip()
    if not url:
        raise BadInput("Paste the address of the webhook.", param="url")
    if len(url) > LONGEST_URL or "#" in url or not _PRINTABLE.match(url):
        raise BadInput(
            f"The URL is longer than {LONGEST_URL} characters, or holds spaces, # or letters that no URL has.",
            param="url",
        )
    try:
        check_url(url.partition("?")[0], is_tool=is_of_team)
    except BadInput as refused:
        raise BadInput(refused.message, param="url") from None
    return url


def origin_of(url: str) -> str:
    """Return scheme, host and port in one spelling: what may be shown, and whom a secret was made for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def checked_emails(addresses: Iterable[str]) -> list[str]:
    """Return addresses without repetitions, in the order given; BadInput names the one that is none."""
    found = list(dict.fromkeys(address.strip() for address in addresses if address.strip()))
    if not found:
        raise BadInput("Write at least one e-mail address.", param="addresses")
    if len(found) > MOST_ADDRESSES:
        raise BadInput(
            f"A channel has at most {MOST_ADDRESSES} addresses; make another for the rest.", param="addresses"
        )
    for address in found:
        try:
            validate_email(address)
        except ValidationError:
            raise BadInput(f"{address!r} is not an e-mail address.", param="addresses") from None
        if len(address) > LONGEST_ADDRESS:
            raise BadInput(f"An e-mail address has at most {LONGEST_ADDRESS} characters.", param="addresses")
    return found
