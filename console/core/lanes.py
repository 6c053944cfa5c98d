"""The three lanes of traffic, fastest first."""

from django.db import models


class Lane(models.TextChoices):
    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


_ORDER = {lane: place for place, lane in enumerate(Lane.values)}


def slowest(*lanes: str) -> str:
    """Return the slowest of the lanes: what a call gets that asks for one and may have another. "" has no opinion."""
    return max((lane for lane in lanes if lane), key=_ORDER.__getitem__, default=Lane.STANDARD.value)
