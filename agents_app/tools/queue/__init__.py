"""Built-in queues, seen from a run."""

from agents_app.tools.queue.kind import WorkQueue

__all__ = ["WorkQueue"]
