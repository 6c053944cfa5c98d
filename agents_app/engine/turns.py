"""A worker's turn with a run: it renews the lease, and notices requests to stop."""

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.db.models import F
from django.db.models.functions import Now

from agents_app.engine import lease, limits
from agents_app.engine.compaction import room_of
from agents_app.grants.authority import why_not_run
from agents_app.grants.parsing import DENY, Grant, grants_of
from agents_app.grants.pinned import tools_of
from agents_app.models import Agent, Run, Step, Tool
from agents_app.queries.run_state import actor_of, definition_of
from console.teams.models import Team

State = Run.State


class Over(Exception):
    """The run ends now, as it says."""

    def __init__(self, state: str, code: str = "", trouble: str = "", output: Any = None) -> None:
        super().__init__(trouble)
        self.state, self.code, self.trouble, self.output = state, code, trouble, output


class Turn:
    """One worker's turn with one run: the run, its definition, and the tools it may be offered."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.definition = definition_of(run)
        self.grants: dict[str, Grant] = grants_of(self.definition.grants)
        self.tools: dict[str, Tool] = {}
        self._looked = time.monotonic()
        self._room: int | None = None

    def begin_step(self) -> list[Step]:
        """Renew the lease, see who may still do this and what there is; return the steps so far."""
        self.look()
        agent = Agent.objects.select_related("team").get(pk=self.run.agent_id)
        pays = agent.team if agent.team_id == self.run.team_id else Team.objects.get(pk=self.run.team_id)
        if problem := why_not_run(actor_of(self.run), agent, pays):
            raise Over(State.FAILED, "may_not_run", problem)
        self.tools = tools_of(agent.team, list(self.grants)) if self.grants else {}
        return list(Step.objects.filter(run=self.run).order_by("number"))

    def end_step(self, step: Step, state: str, **fields: Any) -> None:
        """Write how a step ended, and count it. `fields` are what of the step is written with it."""
        lease.change(self.run, steps_done=F("steps_done") + 1, attempts=0)
        for name, value in {"state": state, **fields}.items():
            setattr(step, name, value)
        Step.objects.filter(pk=step.pk).update(state=state, ended_at=Now(), **fields)

    def room(self) -> int:
        """Return how many tokens its conversation may have; asked once in a turn, which is seconds long."""
        if self._room is None:
            self._room = room_of(self.run, self.definition)
        return self._room

    def offered(self) -> list[Tool]:
        """Return the tools the model is told of: granted, of the team, on and reviewed; nothing else exists for it."""
        found = []
        for name, grant in self.grants.items():
            tool = self.tools.get(name)
            is_reviewed = tool is not None and grant.digest in {"", tool.digest}
            if tool is not None and is_reviewed and tool.is_callable and grant.mode != DENY:
                found.append(tool)
        return found

    def look(self) -> None:
        """Renew the lease and raise what must be known: the run is lost, to be cancelled, or out of time."""
        moment = time.monotonic()  # taken before: whoever is stopped in between has less time and not more
        lease.renew(self.run)
        self.holds_from(moment)
        if self.run.state == State.CANCELLING:
            raise Over(State.CANCELLED, "cancelled", self.run.trouble)
        limits.check_time(self.run)

    def wait_for(self, calls: Sequence["Future[Any]"]) -> "set[Future[Any]]":
        """Return those that have ended, at least one; meanwhile no connection to the database is held."""
        every = min(settings.AGENT_LEASE_SECONDS / 3, 1.0)
        due = self._looked + every
        while True:
            connections.close_all()
            ended, _ = wait(calls, timeout=max(due - time.monotonic(), 0.01), return_when=FIRST_COMPLETED)
            if ended:
                return ended
            due = time.monotonic() + every
            try:
                self.look()
            except (InterfaceError, OperationalError):
                # A database that restarts cuts no call off: nobody else can take the run while it is away.
                if time.monotonic() > self._looked + settings.AGENT_LEASE_SECONDS:
                    raise

    def holds_from(self, moment: float) -> None:
        """Note when (monotonic) the lease was last extended, at the earliest."""
        self._looked = moment

    def latest(self) -> float:
        """Return until when a call may begin: later another worker may have the run."""
        return self._looked + settings.AGENT_LEASE_SECONDS / 2
