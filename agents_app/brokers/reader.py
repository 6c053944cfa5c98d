"""Read one queue in a loop: check whether a run may start, take a message, handle it, settle it.

Whatever goes wrong is said on its page and in the log, once, and tried again after a while that grows.
"""

import logging
import time
import uuid
from collections.abc import Callable

from django.conf import settings

from agents_app.brokers import gate, lease, transport
from agents_app.brokers.address import address_of
from agents_app.brokers.config import check_at
from agents_app.brokers.deliveries import receive
from agents_app.brokers.failures import BrokerTrouble
from agents_app.brokers.message import Message
from agents_app.models import Broker, Reader, Trigger
from console.core.clock import now
from console.core.errors import BadInput

log = logging.getLogger(__name__)
State = Reader.State
_LONGEST_WAIT = 30.0
# A queue with nothing in it is asked this often, and the database is left alone meanwhile.
_IDLE_SECONDS, _LONGEST_IDLE = 0.5, 4.0
_BRIEF_SECONDS = 1.0


class Reading:
    """The state of one reader. `step` does one thing and says how long to wait before the next; None is to stop.

    `sleep` waits, holding nothing of the database, and says whether to continue.
    """

    def __init__(self, trigger_id: uuid.UUID, holder: uuid.UUID, sleep: Callable[[float], bool]) -> None:
        self.trigger_id, self.holder, self._sleep = trigger_id, holder, sleep
        self._consumer: transport.Consumer | None = None
        self._opened: tuple[object, ...] = ()
        self._said: tuple[str, str] | None = None
        self._failures = 0

    def step(self) -> float | None:
        if not lease.renew(self.trigger_id, self.holder):
            return None
        rows = lease.outside().select_related("agent__team", "agent__live", "owner")
        trigger = rows.filter(pk=self.trigger_id).first()
        if trigger is None:
            return None
        try:
            return self._visit(trigger)
        except BrokerTrouble as trouble:
            return self._stumble(State.TROUBLE, str(trouble))
        except BadInput as refused:
            return self._stumble(State.TROUBLE, refused.message)

    def _visit(self, trigger: Trigger) -> float:
        broker = Broker.objects.filter(team=trigger.agent.team_id, slug=trigger.config["broker"]).first()
        if broker is None:
            return self._stumble(State.TROUBLE, f"There is no broker {trigger.config['broker']!r} any more.")
        if hold := gate.hold_on(trigger):
            return self._hold(hold)
        consumer = self._open(trigger, broker)
        self._note(State.READING, "")
        message, has_waited = self._take(consumer)
        if message is None:
            self._failures = 0
            return 0
        Reader.objects.filter(trigger=trigger).update(last_message_at=now())
        if has_waited and (hold := gate.hold_on(trigger)):
            consumer.requeue(message)
            return self._hold(hold)
        received = receive(trigger, broker, message)
        if received.is_done:
            consumer.ack(message)
            self._failures = 0
            return 0
        consumer.requeue(message)
        return self._hold(gate.Hold(received.said))

    def _take(self, consumer: transport.Consumer) -> tuple[Message | None, bool]:
        """Wait a while for a message, and return whether that took long enough for things to have changed."""
        latest = time.monotonic() + min(_LONGEST_IDLE, settings.AGENT_LEASE_SECONDS / 3)
        self._sleep(0)
        message, has_waited = consumer.take(), False
        while message is None and time.monotonic() < latest and self._sleep(_IDLE_SECONDS):
            message, has_waited = consumer.take(), True
        return message, has_waited

    def _open(self, trigger: Trigger, broker: Broker) -> transport.Consumer:
        """Return the open consumer; another one when what it was opened for has changed."""
        wanted = (broker.pk, broker.revision, trigger.config["queue"])
        if self._consumer is None or self._opened != wanted:
            self.close()
            address = address_of(broker)
            check_at(address, trigger.config["queue"])
            self._consumer = transport.open_consumer(address, trigger.config["queue"], trigger.pk.hex)
            self._opened = wanted
        return self._consumer

    def _hold(self, hold: gate.Hold) -> float:
        self._note(State.WAITING, hold.why)
        if hold.is_brief:
            return _BRIEF_SECONDS
        self._failures += 1
        return self._wait()

    def _stumble(self, state: str, reason: str) -> float:
        self.close()
        self._note(state, reason)
        self._failures += 1
        return self._wait()

    def _wait(self) -> float:
        return min(2.0 ** min(self._failures - 1, 10), _LONGEST_WAIT)

    def _note(self, state: str, note: str) -> None:
        if self._said == (state, note):
            return
        self._said = state, note
        if state == State.TROUBLE:
            log.warning("The queue of the trigger %s cannot be read: %s", self.trigger_id, note)
        Reader.objects.filter(trigger=self.trigger_id).update(state=state, said=note[:500], since=now())

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
