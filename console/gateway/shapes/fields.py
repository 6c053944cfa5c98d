"""What the bodies of all operations have in common."""

from collections.abc import Callable, Mapping
from typing import Any

from console.core.errors import BadInput
from console.core.quick_settings import settings

# For us or for nobody: never sent on. Where a call goes and with whose credentials is not the caller's to say.
_NOT_THEIRS = frozenset({"api_base", "base_url", "api_key", "api_version", "headers", "extra_headers", "extra_body"})
_OURS = frozenset({"metadata", "store", "service_tier"})
_ONE_OR_OTHER = frozenset({"prompt", "messages"})  # left out where empty beside the other

# Raises BadInput for a member of this name and value.
Check = Callable[[str, Any], None]


def model(body: Any) -> dict[str, Any]:
    """Return the body as an object that names a model."""
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    name = body.get("model")
    if not isinstance(name, str) or not name or len(name) > 200:
        raise BadInput("Name the model to call; GET /v1/models lists them.", param="model")
    return body


def check_members(body: dict[str, Any], checks: Mapping[str, Check]) -> None:
    """Check each member that is there and not null by its rule."""
    for name, value in body.items():
        check = checks.get(name)
        if check is not None and value is not None:
            check(name, value)


def whole(least: int, most: int) -> Check:
    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise BadInput(f"{name} must be a whole number from {least} to {most:,}.", param=name)

    return check


def number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{name} must be a number.", param=name)


def truth(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise BadInput(f"{name} must be true or false.", param=name)


def thing(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise BadInput(f"{name} must be an object.", param=name)


STREAMING: dict[str, Check] = {"stream": truth, "stream_options": thing}


def keep(body: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Apply the policy for fields we do not know, and keep to ourselves what is ours."""
    if not body.keys().isdisjoint(_NOT_THEIRS):
        name = min(body.keys() & _NOT_THEIRS)
        raise BadInput(f"{name} cannot be set by a request; the alias decides where a call goes.", param=name)
    unknown = body.keys() - known
    if unknown and settings.GATEWAY_UNKNOWN_FIELDS == "refuse":
        name = min(unknown)
        raise BadInput(f"{name[:60]!r} is not a field of this request.", param=name[:60])
    left_out = _OURS | (unknown if settings.GATEWAY_UNKNOWN_FIELDS == "drop" else frozenset())
    return body if body.keys().isdisjoint(left_out) else {k: v for k, v in body.items() if k not in left_out}


def dropped(sent: Any, kept: dict[str, Any]) -> tuple[str, ...]:
    """Return the names the policy `drop` took out of a body, for whoever wonders: a few of them, not to be too long."""
    if settings.GATEWAY_UNKNOWN_FIELDS != "drop" or not isinstance(sent, dict):
        return ()
    names = sent.keys() - kept.keys() - _OURS - _ONE_OR_OTHER
    return tuple(ascii(name[:60])[1:-1] for name in sorted(names)[:20])
