"""Writes of the room, one function per verb."""

from console.notices.services.telling import People, tell

__all__ = ["People", "tell"]
