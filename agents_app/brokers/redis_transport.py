"""Redis lists, in kombu's envelope or as plain JSON, without kombu's moment of loss.

kombu takes a message off its list first and notes it down second; what dies in between takes the message along. Here
one command moves it to a list of the reader's own, and it stays there until it is settled. A reader that begins puts
back what the one before it left.
"""

import base64
import json
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from agents_app.brokers.address import Address
from agents_app.brokers.failures import SECONDS, spoken, text_of
from agents_app.brokers.message import Message
from agents_app.tools.queue.items import LARGEST_BODY

_LARGEST_ENVELOPE = 8 * LARGEST_BODY
_PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")  # as kombu names the lists beside the first


def client_of(address: Address) -> "redis.Redis":
    once = Retry(NoBackoff(), 0)  # whoever calls tries again, and says meanwhile what is wrong
    limits: dict[str, Any] = {"socket_timeout": SECONDS, "db": address.database, "retry": once}
    if not address.host:
        return redis.Redis(unix_socket_path=address.path, **limits)
    secure: dict[str, Any] = (
        {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True} if address.is_tls else {}
    )
    return redis.Redis(
        host=address.host,
        port=address.port,
        username=address.user or None,
        password=address.password or None,
        socket_connect_timeout=SECONDS,
        **secure,
        **limits,
    )


def push(address: Address, queue: str, message: Message) -> None:
    """Send a message in kombu's envelope, or as it is."""
    with client_of(address) as client:
        client.lpush(queue, message.body if message.is_plain else _envelope(queue, message))


def ping(address: Address) -> None:
    with client_of(address) as client:
        client.ping()


def _envelope(queue: str, message: Message) -> bytes:
    properties = {
        "message_id": message.message_id,
        "correlation_id": message.correlation_id or None,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": message.message_id,
    }
    envelope = {
        "body": base64.b64encode(message.body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": message.headers,
        "properties": properties,
    }
    return json.dumps(envelope).encode()


def reading_key(queue: str, reader: str) -> str:
    return f"facet:reading:{queue}:{reader}"


class RedisConsumer:
    """One list. Senders push at its left, as kombu and most others do."""

    def __init__(self, address: Address, queue: str, reader: str) -> None:
        self._queue, self._mine = queue, reading_key(queue, reader)
        self._client = client_of(address)
        while self._client.lmove(self._mine, queue, "LEFT", "RIGHT") is not None:
            pass

    def take(self) -> Message | None:
        with spoken():
            for ending in _PRIORITIES:
                raw = self._client.lmove(self._queue + ending, self._mine, "RIGHT", "LEFT")
                if raw is not None:
                    return opened(bytes(raw))  # type: ignore[arg-type]
        return None

    def ack(self, message: Message) -> None:
        with spoken():
            self._client.lrem(self._mine, 1, message.tag)

    def requeue(self, message: Message) -> None:
        with spoken(), self._client.pipeline(transaction=True) as both:
            both.lrem(self._mine, 1, message.tag)
            both.rpush(self._queue, message.tag)
            both.execute()

    def close(self) -> None:
        self._client.close()


def opened(raw: bytes) -> Message:
    """Return what is in an element of a list; what is no envelope of kombu is the message itself."""
    plain = Message(body=raw, tag=raw, is_plain=True)
    if len(raw) > _LARGEST_ENVELOPE:  # too large whatever is in it, and taking it apart would cost many times its size
        return plain
    try:
        found = json.loads(raw)
        said = found["properties"]
        body, headers = found["body"], found.get("headers") or {}
        content = base64.b64decode(body, validate=True) if said.get("body_encoding") == "base64" else body.encode()
        names = {name: text_of(said.get(name)) for name in ("message_id", "delivery_tag", "correlation_id")}
        return Message(
            body=content,
            tag=raw,
            message_id=names["message_id"] or names["delivery_tag"],
            correlation_id=names["correlation_id"],
            headers=dict(headers),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return plain
