"""Search collections, for programs that build their own requests."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from console.api.manage.base import Endpoint
from console.api.manage.knowledge.shapes import FoundSerializer, QuestionSerializer, SearchSerializer
from console.core.clock import now
from console.core.errors import BadInput
from console.gateway.identity import PersonIdentity, StartedByKey
from console.gateway.refusals import Identify
from console.knowledge import access
from console.knowledge.embedding import CallOrigin
from console.knowledge.search import search_now
from console.teams.access import team_for
from console.teams.models import Environment


class Search(Endpoint):
    needs = "view_team"
    calls_out = True

    @extend_schema(
        operation_id="search_knowledge",
        summary="Find the passages that answer a question, best first",
        description="By words; by meaning too where a collection has a model and the caller may call models. "
        "The vector of the question is an ordinary call of the caller's.",
        request=QuestionSerializer,
        responses=SearchSerializer,
    )
    def post(self, request: Any) -> Response:
        body = self.read(QuestionSerializer)
        team_id = self._team(body.get("team"))
        collections = access.get_collections(team_id, body["collections"], "collections")
        origin = CallOrigin(surface="api", route=request.path, client_address=self.client_address)
        result = search_now(self._identity(team_id), collections, body["question"], body["limit"], origin=origin)
        data = FoundSerializer(result.found, many=True).data
        return Response({"data": data, "by_meaning": result.by_meaning, "problem": result.problem})

    def _team(self, slug: str | None) -> uuid.UUID:
        if slug:
            return team_for(self.caller, slug).pk
        if len(self.caller.rights) == 1:
            return next(iter(self.caller.rights))
        raise BadInput("Say whose collections they are: team.", param="team")

    def _identity(self, team_id: uuid.UUID) -> Identify | None:
        """Return who pays for the question's vector; None, and words decide, for those who may not call models."""
        caller = self.caller
        if not caller.may("use_models", team_id):
            return None
        if caller.key_id is not None:
            return StartedByKey(caller.key_id, self.client_address, now())
        return PersonIdentity(caller.user.pk, team_id, Environment.PRODUCTION) if caller.user else None
