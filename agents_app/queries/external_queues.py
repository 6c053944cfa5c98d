"""External queues, for their pages: brokers, readers, parked messages, and unsent results."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from agents_app.models import Agent, Broker, Firing, Outgoing, Reader, Run, Trigger, TriggerToken
from agents_app.queries.tokens import live_of

MOST_PARKED = 50
_IS_DUE = Q(sent_at=None) & (Q(kind=Outgoing.Kind.PARKED) | Q(run__state__in=Run.OVER))


@dataclass(frozen=True, slots=True)
class BrokerRow:
    broker: Broker
    triggers: int
    unsent: int

    @property
    def state(self) -> tuple[str, str]:
        """Return what its badge says, and in which tone."""
        if self.broker.trouble:
            return "Trouble", "bad"
        return ("Answers", "ok") if self.broker.checked_at else ("Not asked yet", "")


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """A trigger; of one that reads a queue outside also how that goes."""

    trigger: Trigger
    reader: Reader | None
    parked: int
    unsent: int
    unsent_trouble: str
    tokens: list[TriggerToken]

    @property
    def reading(self) -> tuple[str, str, str]:
        """Return what is said of its reader: a word, its tone, and the reason."""
        reader, trigger = self.reader, self.trigger
        if not trigger.is_enabled or "broker" not in trigger.config:
            return "", "", ""
        if reader is None or not reader.is_alive:
            return "No reader yet", "", "A worker takes it up within seconds; if not, no worker is running."
        word, tone = {
            Reader.State.READING: ("Connected", "ok"),
            Reader.State.WAITING: ("Waiting", "warn"),
            Reader.State.TROUBLE: ("Trouble", "bad"),
        }.get(Reader.State(reader.state), ("Connecting", ""))
        return word, tone, reader.said


def broker_rows(brokers: QuerySet[Broker]) -> list[BrokerRow]:
    found = list(brokers.order_by("name", "team__name")[:500])
    rows = Trigger.objects.filter(agent__team__in={one.team_id for one in found}, config__has_key="broker")
    used = {
        (team, slug): count
        for team, slug, count in rows.values_list("agent__team", "config__broker").annotate(count=Count("pk"))
    }
    due = Outgoing.objects.filter(_IS_DUE, broker__in=found).order_by()
    unsent = dict(due.values_list("broker").annotate(count=Count("pk")))
    return [BrokerRow(one, used.get((one.team_id, one.slug), 0), unsent.get(one.pk, 0)) for one in found]


def trigger_rows(agent: Agent) -> list[TriggerRow]:
    rows = list(Trigger.objects.filter(agent=agent).select_related("owner", "set_up_by", "reader"))
    waiting = parked(agent, most=None).order_by().values_list("trigger").annotate(count=Count("pk"))
    aside = dict(waiting)
    due = Outgoing.objects.filter(_IS_DUE, firing__trigger__in=rows).order_by()
    tokens = list(live_of(rows))
    unsent: dict[object, int] = {}
    trouble: dict[object, str] = {}
    for trigger_id, said, count in due.values_list("firing__trigger", "trouble").annotate(count=Count("pk")):
        unsent[trigger_id] = unsent.get(trigger_id, 0) + count
        trouble[trigger_id] = trouble.get(trigger_id) or said
    return [
        TriggerRow(
            row,
            getattr(row, "reader", None),
            aside.get(row.pk, 0),
            unsent.get(row.pk, 0),
            trouble.get(row.pk, ""),
            [token for token in tokens if token.trigger_id == row.pk],
        )
        for row in rows
    ]


def parked(agent: Agent, most: int | None = MOST_PARKED) -> QuerySet[Firing]:
    """Return the messages of an agent that were set aside, oldest first."""
    rows = Firing.objects.filter(trigger__agent=agent, trigger__config__has_key="broker", state=Firing.State.PARKED)
    return rows.select_related("trigger").order_by("at", "id")[:most]


def others(agent: Agent) -> QuerySet[Firing]:
    """Return what triggers did last, besides what is set aside or still tried."""
    rows = Firing.objects.filter(trigger__agent=agent).select_related("trigger", "run")
    is_parked = Q(state=Firing.State.PARKED, trigger__config__has_key="broker")
    return rows.exclude(is_parked).exclude(state=Firing.State.TRYING).order_by("-at", "-id")


def readers_of(broker: Broker) -> QuerySet[Trigger]:
    """Return the triggers that read from a broker."""
    rows = Trigger.objects.filter(agent__team=broker.team_id, config__broker=broker.slug, agent__archived_at=None)
    return rows.select_related("agent", "reader")


def unsent(broker: Broker) -> QuerySet[Outgoing]:
    return broker.outgoing.filter(_IS_DUE).select_related("run").order_by("created_at", "id")[:50]
