"""Writes of the room, one function per verb."""

from console.notices.people import People
from console.notices.services.notices import notify

__all__ = ["People", "notify"]
