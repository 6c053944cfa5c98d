"""Read from a broker and send to it: take one message, acknowledge or requeue it, send one. Knows of no triggers.

A message is taken one at a time and never in advance, so that what cannot be started now stays at the broker.
"""

from typing import Protocol

from agents_app.brokers import kombu_transport, redis_transport
from agents_app.brokers.address import REDIS, Address
from agents_app.brokers.failures import spoken
from agents_app.brokers.message import Message


class Consumer(Protocol):
    """An open connection to one queue."""

    def take(self) -> Message | None: ...
    def ack(self, message: Message) -> None: ...
    def requeue(self, message: Message) -> None: ...
    def close(self) -> None: ...


def open_consumer(address: Address, queue: str, reader: str) -> Consumer:
    """Open a queue for reading. `reader` names who reads: on Redis, what it has taken stands under this name."""
    with spoken():
        if address.kind == REDIS:
            return redis_transport.RedisConsumer(address, queue, reader)
        return kombu_transport.KombuConsumer(address, queue)


def send(address: Address, queue: str, message: Message) -> None:
    """Send one message; when this returns, the broker has it."""
    with spoken():
        if address.kind == REDIS:
            redis_transport.push(address, queue, message)
        else:
            kombu_transport.publish(address, queue, message)


def ping(address: Address) -> None:
    """Ask whether the broker answers and lets us in; BrokerTrouble says why not."""
    with spoken():
        (redis_transport if address.kind == REDIS else kombu_transport).ping(address)
