"""Try the draft of an agent before it is published."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from agents_app.tryout import MOST_TURNS, as_typed, ask_draft
from console.api.manage.agents.base import AgentEndpoint
from console.api.manage.agents.shapes import AgentTriedSerializer, AgentTrySerializer
from console.core.ids import request_id


class Try(AgentEndpoint):
    needs = "build"
    calls_out = True

    @extend_schema(
        operation_id="try_agent_draft",
        summary="Ask the draft, and wait for its answer; nothing is saved",
        description="It answers as it would once published, with the fields that are sent in place of the draft's. "
        "An ordinary call of the caller's for the agent's team: a person's in production, a key's in its own "
        "environment, and with `models:call`.",
        request=AgentTrySerializer,
        responses=AgentTriedSerializer,
    )
    def post(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        body = self.read(AgentTrySerializer)
        question, turns = body.pop("question"), [dict(turn) for turn in body.pop("turns")]
        tried = ask_draft(
            identify=self.identify(agent.team, purpose="try-out"),
            definition=as_typed(agent.draft, body),
            turns=turns,
            question=question,
            route=request.path,
            client_address=self.client_address,
        )
        answer = {
            "answer": tried.turns[-1]["content"],
            "turns": tried.turns[-MOST_TURNS:],
            "request_id": request_id(tried.call_id),
            "model": tried.model,
            "cost_micros": tried.cost_micros,
        }
        return Response(answer)


urlpatterns = [path("agents/<slug:slug>/draft/try/", Try.as_view(), name="try_agent_draft")]
