"""What a version lacks compared with the one it would replace."""

from console.catalog.models import Capability, ModelVersion
from console.catalog.queries.versions import price_now


def lacks(version: ModelVersion, beside: ModelVersion) -> list[str]:
    """Return in a few words what calls would miss; reads `prices` of both, so prefetch them for lists."""
    if version.pk == beside.pk:
        return []
    missing = [c for c in Capability if c in beside.capabilities and c not in version.capabilities]
    found = [f"no {c.label if c == Capability.JSON_SCHEMA else c.label.lower()}" for c in missing]
    if Capability.EMBEDDING in beside.capabilities and Capability.EMBEDDING in version.capabilities:
        found.append("other vectors, which cannot be compared with those made so far")
    if version.context_tokens < beside.context_tokens:
        found.append(f"a context of {version.context_tokens:,} instead of {beside.context_tokens:,} tokens")
    if price_now(version) is None and price_now(beside) is not None:
        found.append("no price, so calls that a cost limit counts are refused")
    return found
