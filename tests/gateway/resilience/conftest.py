"""A provider's limits as the gateway sees them, and a real Valkey."""

import uuid
from types import SimpleNamespace
from typing import Any

from tests.valkey import Valkey as Valkey
from tests.valkey import valkey_server as valkey_server


def provider(**more: Any) -> Any:
    """A provider as the snapshot has it, as far as its limits go."""
    none = {"max_concurrency": None, "requests_per_minute": None, "tokens_per_minute": None}
    return SimpleNamespace(id=uuid.uuid4(), slug="fake", **({"is_builtin": False} | none | more))
