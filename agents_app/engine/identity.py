"""On whose behalf a run calls: the person or key that started it, resolved again for each call."""

import datetime as dt
import uuid

from agents_app.models import Run
from console.core.errors import NotAllowed
from console.gateway.identity import PersonIdentity, StartedByKey
from console.gateway.snapshot import Snapshot
from console.gateway.types import Asker

_NOBODY = uuid.UUID(int=0)


class AgentWithdrawn(NotAllowed):
    """The agent was archived, or is not shared with the team of the run any more."""

    code = "agent_withdrawn"


class RunIdentity:
    """Who asks for a run at this moment. With a newer snapshot it is asked again, as rights may have ended."""

    __slots__ = ("_is_draft", "_slug", "_who")

    def __init__(self, run: Run, at: dt.datetime) -> None:
        self._slug, self._is_draft = run.agent.slug, run.version_id is None
        who = run.actor_id or _NOBODY
        self._who: PersonIdentity | StartedByKey = (
            StartedByKey(who, run.client_address, at)
            if run.actor_kind == "key"
            else PersonIdentity(who, run.team_id, run.environment)
        )

    def __call__(self, snapshot: Snapshot) -> Asker:
        asker = self._who(snapshot)
        agent = snapshot.agents.get(self._slug)
        if not self._is_draft and (agent is None or not agent.is_for(asker.team.id)):
            raise AgentWithdrawn(f"{asker.team.name} may not use the agent {self._slug} any more.")
        return asker
