"""Connect brokers, change their addresses, test and remove them."""

from typing import Any

from django.db import transaction

from agents_app.brokers import transport
from agents_app.brokers.address import address_of, parsed
from agents_app.brokers.failures import BrokerTrouble
from agents_app.errors import StaleTool, StillUsed
from agents_app.models import Broker, Trigger
from agents_app.services.common import record_change
from agents_app.services.names import check_short_name
from console.audit import actions
from console.audit.services import changes
from console.core import texts
from console.core.clock import now
from console.core.crypto import SecretUnreadable, decrypt, encrypt
from console.core.errors import Conflict, check_revision
from console.core.races import hold, insert
from console.teams.actors import Actor
from console.teams.models import Team


def _logged(broker: Broker) -> dict[str, Any]:
    return {"name": broker.name, "address": broker.address}


@transaction.atomic
def create_broker(*, actor: Actor, team: Team, slug: str, name: str = "", url: str) -> Broker:
    """Connect a broker by its address, password and all; nothing is asked of it yet."""
    address = parsed(url)
    broker = Broker(
        team=team,
        slug=check_short_name(slug, 40),
        name=texts.line(name or slug, "name", most=80, is_required=True),
        address=address.shown[:500],
        secret=encrypt(url.strip()),
    )
    insert(broker, Conflict(f"{team} has a broker {slug!r} already.", param="slug"))
    record_change(actions.BROKER_CREATED, actor, broker, {"after": {"slug": slug} | _logged(broker)})
    return broker


@transaction.atomic
def change_broker(
    *, actor: Actor, broker: Broker, name: str | None = None, url: str | None = None, seen_revision: int | None = None
) -> Broker:
    """Change what is given. With another address, readers continue there from their next message on."""
    broker = hold(broker, "team")
    check_revision("this broker", broker.revision, seen_revision, StaleTool)
    before, is_other = _logged(broker), False
    if name is not None:
        broker.name = texts.line(name, "name", most=80, is_required=True)
    if url:
        broker.address = parsed(url).shown[:500]
        is_other = not _is_at(broker, url.strip())
        broker.secret = encrypt(url.strip())
    if before == _logged(broker) and not is_other:
        return broker
    broker.revision += 1
    broker.trouble, broker.checked_at = "", None
    broker.save()
    detail = changes(before, _logged(broker))
    record_change(actions.BROKER_CHANGED, actor, broker, detail | ({"secret": "changed"} if is_other else {}))
    return broker


def _is_at(broker: Broker, url: str) -> bool:
    """Return whether this is the address kept. One whose key is gone is not: so another can be entered."""
    try:
        return decrypt(broker.secret) == url
    except SecretUnreadable:
        return False


def look_at_broker(*, actor: Actor, broker: Broker) -> str:
    """Ask whether it answers and lets us in; return what is wrong, if anything is."""
    trouble = ""
    try:
        transport.ping(address_of(broker))
    except BrokerTrouble as said:
        trouble = str(said)
    with transaction.atomic():
        Broker.objects.filter(pk=broker.pk).update(checked_at=now(), trouble=trouble[:500])
        record_change(actions.BROKER_LOOKED_AT, actor, broker, {"trouble": trouble} if trouble else {})
    return trouble


@transaction.atomic
def delete_broker(*, actor: Actor, broker: Broker) -> None:
    """Remove one no trigger reads. What was still to be sent there is lost."""
    broker = hold(broker, "team")
    reading = Trigger.objects.filter(agent__team=broker.team_id, config__broker=broker.slug, agent__archived_at=None)
    if names := [f"{one.agent.name}: {one.name}" for one in reading.select_related("agent")[:3]]:
        raise StillUsed(f"It is read by {', '.join(names)}. Remove these triggers first.")
    lost = broker.outgoing.filter(sent_at=None).count()
    record_change(actions.BROKER_DELETED, actor, broker, {"before": _logged(broker) | {"unsent": lost}})
    broker.delete()
