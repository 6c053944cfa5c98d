"""Read settings from the environment, and refuse invalid ones."""

import ipaddress
import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.core.mail.message import sanitize_address

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def env_str(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def env_bool(name: str, default: bool) -> bool:
    raw = env_str(name)
    if not raw:
        return default
    if raw.lower() in _TRUE:
        return True
    if raw.lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {raw!r}; write 1 or 0.")


def env_int(name: str, default: int, *, minimum: int = 0, maximum: int | None = None) -> int:
    raw = env_str(name)
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {raw!r}; write a whole number.") from None
    if value < minimum:
        raise ImproperlyConfigured(f"{name} is {value}; the smallest value is {minimum}.")
    if maximum is not None and value > maximum:
        raise ImproperlyConfigured(f"{name} is {value}; the largest value is {maximum}.")
    return value


def env_list(name: str, default: list[str] | None = None) -> list[str]:
    raw = env_str(name)
    return [part.strip() for part in raw.split(",") if part.strip()] if raw else list(default or [])


def env_choice(name: str, choices: Collection[str], default: str) -> str:
    raw = env_str(name) or default
    for choice in choices:
        if choice.lower() == raw.lower():
            return choice
    raise ImproperlyConfigured(f"{name} is {raw!r}; write one of {', '.join(choices)}.")


def env_networks(name: str, default: list[str] | None = None) -> list[str]:
    """Return networks as CIDR; a single address is the network of itself."""
    found = []
    for text in env_list(name, default):
        try:
            found.append(str(ipaddress.ip_network(text, strict=False)))
        except ValueError:
            raise ImproperlyConfigured(f"{name} holds {text!r}; write networks such as 10.0.0.0/8.") from None
    return found


def env_url(name: str, default: str = "") -> str:
    """Return an address of the web without a slash at its end, or nothing where there is none."""
    value = (env_str(name) or default).rstrip("/")
    try:
        parts = urlsplit(value)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if value and not is_whole:
        raise ImproperlyConfigured(f"{name} is {value!r}; write http:// or https://, and a host.")
    if re.search(r"[^!-~]", value.partition("://")[2].partition("/")[2]):
        raise ImproperlyConfigured(f"{name} is {value!r}; write spaces and other letters in its path as %20 and so on.")
    return value


def parts_of(name: str, url: str) -> SplitResult:
    """Return the parts of a server's address. What is wrong with it is said without it: it holds a password."""
    try:
        parts = urlsplit(url)
        is_whole = parts.port != 0 and not (parts.hostname and parts.fragment)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ImproperlyConfigured(
            f"{name} cannot be read. Write : / ? # [ ] and @ in its password as %3A %2F %3F %23 %5B %5D and %40, and a"
            " port as a number; several hosts of PostgreSQL stand behind a ?, as host=one,two&port=5432,5432."
        )
    return parts


def env_sender(name: str, default: str) -> str:
    """Return whom mails are from: an address, or a name and one, `Facet <facet@example.com>`."""
    value = env_str(name) or default
    try:
        is_whole = "@" in sanitize_address(value, "utf-8")
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ImproperlyConfigured(
            f"{name} is {value!r}; write an address such as facet@example.com, or a name and one, "
            'Facet <facet@example.com>, the name in "…" if it has punctuation.'
        )
    return value


def env_secret(name: str, default: str = "") -> str:
    """Return NAME, or the content of the file NAME_FILE names; both at once is a mistake."""
    value, path = env_str(name), env_str(f"{name}_FILE")
    if value and path:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if not path:
        return value or default
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE is {path!r}, which cannot be read: {error.strerror}.") from None


def headers_in(name: str, text: str) -> dict[str, str]:
    """Return the headers of `name=value,name=value`, values percent-encoded, as OpenTelemetry writes them."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        header, equals, value = part.partition("=")
        value = unquote(value.strip())
        if not equals or not re.fullmatch(r"[A-Za-z0-9_-]+", header.strip()) or not value.isprintable():
            raise ImproperlyConfigured(f"{name} holds something else than name=value pairs, separated by commas.")
        found[header.strip()] = value
    return found


def env_commands(name: str) -> dict[str, list[str]]:
    """Return named commands: a JSON object of lists of words. Nothing is split or expanded by a shell."""
    raw = env_str(name)
    if not raw:
        return {}
    try:
        value = json.loads(raw)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(
        isinstance(words, list) and words and all(isinstance(word, str) for word in words) for words in value.values()
    ):
        raise ImproperlyConfigured(f'{name} must be JSON of names and commands: {{"time": ["mcp-server-time"]}}.')
    return value
