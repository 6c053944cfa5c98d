"""The part of a trigger's configuration about an external queue."""

import uuid
from typing import Any
from urllib.parse import urlsplit

from agents_app.brokers.address import SQS, Address, address_of
from agents_app.brokers.failures import BrokerTrouble
from agents_app.brokers.message import check_dedupe
from agents_app.models import Broker
from console.core.errors import BadInput

# All there is, and what only a queue outside has.
OWN = frozenset({"broker", "result_queue", "parking_queue", "dedupe", "at_once", "attempts"})
FIELDS = OWN | {"queue"}
AT_ONCE, ATTEMPTS = 10, 5
_NUMBERS = {"at_once": (AT_ONCE, 1, 100), "attempts": (ATTEMPTS, 1, 100)}
_NAMES = {"queue": "The queue to read", "result_queue": "The queue for results", "parking_queue": "The parking queue"}


def checked(team_id: uuid.UUID, config: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a queue outside ready to be kept; BadInput names the one at fault."""
    slug = str(config["broker"])
    broker = Broker.objects.filter(team=team_id, slug=slug[:40]).first()
    if broker is None:
        raise BadInput(f"There is no broker {slug[:60]!r}. An owner of the team connects one.", param="config.broker")
    try:
        address = address_of(broker)
    except BrokerTrouble as trouble:
        raise BadInput(f"{trouble} An owner of the team enters it anew.", param="config.broker") from None
    found: dict[str, Any] = {"broker": broker.slug}
    for name, noun in _NAMES.items():
        value = str(config.get(name) or "").strip()
        if value:
            found[name] = _queue(address, value, noun, f"config.{name}")
    if "queue" not in found:
        raise BadInput("Name the queue to read.", param="config.queue")
    if found["queue"] in {found.get("result_queue"), found.get("parking_queue")}:
        raise BadInput("What it writes must not be what it reads: it would go round for ever.", param="config.queue")
    for name, (usual, least, most) in _NUMBERS.items():
        value = config.get(name, usual)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise BadInput(f"{name} is a whole number from {least} to {most}.", param=f"config.{name}")
        found[name] = value
    return found | {"dedupe": check_dedupe(str(config.get("dedupe") or ""))}


def _leads_to(address: Address, url: str) -> bool:
    """Return whether a queue's URL stays at the broker: its host, its port, with TLS where the broker has it."""
    scheme, usual = ("https", 443) if address.is_tls else ("http", 80)
    try:
        split = urlsplit(url)
        there = (split.scheme, split.hostname, split.port or usual)
    except ValueError:
        return False
    is_plain = not set(url) & set("@\\?#")
    return is_plain and there == (scheme, address.host, address.port or usual) and bool(split.path.strip("/"))


def check_at(address: Address, queue: str) -> None:
    """Refuse a queue that is not at this address: the broker may have moved since the trigger named it."""
    _queue(address, queue, "The queue", "config.queue")


def _queue(address: Address, name: str, noun: str, param: str) -> str:
    if len(name) > 255 or not name.isprintable():
        raise BadInput(f"{noun} has a name of up to 255 characters.", param=param)
    if address.kind != SQS:
        if name.startswith(("_kombu.", "facet:")):
            raise BadInput(f"{noun} cannot begin like this: such names are kept for what keeps queues.", param=param)
        return name
    if not _leads_to(address, name):
        raise BadInput(
            f"{noun} is named by its URL: {'https' if address.is_tls else 'http'}://{address.host}/123456789012/orders.",
            param=param,
        )
    return name
