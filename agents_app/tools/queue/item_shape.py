"""An item as programs get it: from `/v1/queues`, or at the callback address its sender named."""

from typing import Any

from agents_app.models import QueueItem


def queue_item(item: QueueItem) -> dict[str, Any]:
    return {
        "id": f"item_{item.pk.hex}",
        "object": "queue.item",
        "status": item.state,
        "result": item.result,
        "error": item.trouble or None,
        "attempts": item.attempts,
        "created_at": int(item.created_at.timestamp()),
        "ended_at": int(item.ended_at.timestamp()) if item.ended_at else None,
    }
