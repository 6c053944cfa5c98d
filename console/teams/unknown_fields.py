"""The handling of unknown request fields: the installation's setting, and how far a key's own may differ.

A key may be stricter than the installation, but laxer only if an operator allowed it: whoever configured the
installation relies on the setting, and keys are created by others.
"""

from typing import Protocol

from console.core.cached_settings import settings

_STRICTNESS = {"pass": 0, "drop": 1, "refuse": 2}


class HasPolicy(Protocol):
    """A key, in the database or as a call sees it."""

    @property
    def unknown_fields(self) -> str: ...

    @property
    def unknown_fields_by_operator(self) -> bool: ...


def is_laxer(policy: str) -> bool:
    """Return whether a key's own word lets more pass than the installation's."""
    return bool(policy) and _STRICTNESS[policy] < _STRICTNESS[settings.GATEWAY_UNKNOWN_FIELDS]


def policy_of(key: HasPolicy | None) -> str:
    """Return the policy of a key, or of a caller without one: pass, drop or refuse."""
    if key is None or not key.unknown_fields or (is_laxer(key.unknown_fields) and not key.unknown_fields_by_operator):
        return str(settings.GATEWAY_UNKNOWN_FIELDS)
    return key.unknown_fields
