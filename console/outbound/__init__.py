"""The one way out of Facet: an HTTP client with an address guard and deadlines."""

from console.outbound.client import Deadlines, Reply, close, connections, default_deadlines, request
from console.outbound.errors import sentence

__all__ = ["Deadlines", "Reply", "close", "connections", "default_deadlines", "request", "sentence"]
