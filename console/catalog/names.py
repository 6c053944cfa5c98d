"""Validate names and addresses of the catalog."""

import re
from urllib.parse import urlsplit

from console.core.errors import BadInput
from console.outbound.guard import check_url
from console.providers.registry import KINDS

# `@` names an environment, `:` an agent and `/` an exact model, so an alias has none of them.
ALIAS = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
# Neither white space nor what a page would not show, such as marks that turn the direction of writing.
MODEL = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]{1,200}")


def check_alias_name(name: str) -> str:
    if not ALIAS.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot be an alias; write lower-case letters, digits, dots, hyphens and underscores.",
            param="name",
        )
    return name


def check_slug(slug: str) -> str:
    if not SLUG.fullmatch(slug):
        raise BadInput(f"{slug!r} cannot be a short name; write lower-case letters, digits and hyphens.", param="slug")
    return slug


def check_model_name(name: str) -> str:
    if not MODEL.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot be a model's name; write it as the provider does, without spaces.", param="name"
        )
    return name


def checked_base_url(url: str) -> str:
    """Return the address in one spelling (lower-case host, no slash at the end); BadInput when it may not be called."""
    target = check_url(url := url.strip())
    host = f"[{target.host}]" if ":" in target.host else target.host.lower()
    port = "" if target.port == {"http": 80, "https": 443}[target.scheme] else f":{target.port}"
    if "?" in url or "#" in url:
        raise BadInput("The URL must end with its path, without ? or #.", param="base_url")
    return f"{target.scheme}://{host}{port}{target.path.rstrip('/')}"


def origin(url: str) -> str:
    """Return scheme, host and port: a secret belongs to these and goes nowhere else."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def kinds() -> list[str]:
    """Return the names of the wire formats a provider may speak."""
    return sorted(KINDS)
