"""Reads of the catalog: what its pages need, already joined."""

from console.catalog.models import ModelVersion, Price
from console.core.clock import now


def price_now(version: ModelVersion) -> Price | None:
    """Return what a version costs at this moment. Reads `prices`, so prefetch them for lists."""
    moment = now()
    past = [price for price in version.prices.all() if price.effective_from <= moment]
    return max(past, key=lambda price: price.effective_from, default=None)
