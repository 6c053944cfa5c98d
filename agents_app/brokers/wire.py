"""What is said to a broker: take one message, settle it, give it back, send one. Nothing here knows of triggers.

A message is taken one at a time and never in advance, so that what cannot be started now stays at the broker.
"""

from typing import Protocol

from agents_app.brokers import kombu_line, redis_line
from agents_app.brokers.address import REDIS, Address
from agents_app.brokers.message import Message
from agents_app.brokers.trouble import spoken


class Line(Protocol):
    """An open connection to one queue."""

    def take(self) -> Message | None: ...
    def settle(self, message: Message) -> None: ...
    def give_back(self, message: Message) -> None: ...
    def close(self) -> None: ...


def open_line(address: Address, queue: str, reader: str) -> Line:
    """Open a queue for reading. `reader` names who reads: on Redis, what it has taken stands under this name."""
    with spoken():
        if address.kind == REDIS:
            return redis_line.RedisLine(address, queue, reader)
        return kombu_line.KombuLine(address, queue)


def send(address: Address, queue: str, message: Message) -> None:
    """Send one message; when this returns, the broker has it."""
    with spoken():
        if address.kind == REDIS:
            redis_line.push(address, queue, message)
        else:
            kombu_line.publish(address, queue, message)


def look(address: Address) -> None:
    """Ask whether the broker answers and lets us in; BrokerTrouble says why not."""
    with spoken():
        (redis_line if address.kind == REDIS else kombu_line).greet(address)
