"""Writes of the room, one function per verb."""

from console.notices.people import People
from console.notices.services.telling import tell

__all__ = ["People", "tell"]
