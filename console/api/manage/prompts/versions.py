"""Versions, differences between two, and one's own draft."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from console.api.manage.base import listed
from console.api.manage.prompts.base import PromptEndpoint
from console.api.manage.prompts.shapes import (
    ComparisonSerializer,
    DraftChangeSerializer,
    DraftSerializer,
    NewVersionSerializer,
    VersionSerializer,
)
from console.core.errors import BadInput, NotFound
from console.core.parsing import number
from prompts_app.models import Prompt, PromptVersion
from prompts_app.queries.comparison import compare
from prompts_app.services import drafts, versions
from prompts_app.services.common import person_of


class Versions(PromptEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_prompt_versions",
        summary="List the versions of a prompt",
        responses=listed(VersionSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        rows = PromptVersion.objects.filter(prompt=self.prompt(slug)).select_related("parent")
        return self.page(rows, VersionSerializer)

    @extend_schema(summary="Save a version", request=NewVersionSerializer, responses={201: VersionSerializer})
    def post(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug, "edit")
        body = self.read(NewVersionSerializer)
        parent = self.version(prompt, body.pop("parent"))
        version = versions.save_version(actor=self.actor, prompt=prompt, parent=parent, **body)
        return Response(VersionSerializer(version).data, status=201)


class OneVersion(PromptEndpoint):
    @extend_schema(summary="Show a version", responses=VersionSerializer)
    def get(self, request: Any, slug: str, number: int) -> Response:
        return Response(VersionSerializer(self.version(self.prompt(slug), number)).data)


class Compare(PromptEndpoint):
    @extend_schema(
        operation_id="compare_prompt_versions",
        summary="Compare two versions",
        parameters=[OpenApiParameter("a", int, required=True), OpenApiParameter("b", int, required=True)],
        responses=ComparisonSerializer,
    )
    def get(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug)
        a, b = (self._number(prompt, name) for name in ("a", "b"))
        comparison = compare(a, b, is_inline=False)
        return Response(
            {
                "a": a.number,
                "b": b.number,
                "messages": [asdict(message) for message in comparison.messages],
                "variables": [asdict(change) for change in comparison.variables],
                "parameters": [asdict(change) for change in comparison.parameters],
            }
        )

    def _number(self, prompt: Prompt, name: str) -> PromptVersion:
        value = number(self.request.query_params.get(name, ""), None)
        if value is None:
            raise BadInput(f"{name} is the number of a version: ?a=17&b=18.", param=name)
        return self.version(prompt, value)


class Draft(PromptEndpoint):
    """The caller's own: a person's, or that of the person a key answers to."""

    needs = "build"

    @extend_schema(summary="Show your draft", responses=DraftSerializer)
    def get(self, request: Any, slug: str) -> Response:
        draft = drafts.draft_of(self.prompt(slug, "edit"), person_of(self.actor))
        if draft is None:
            raise NotFound("You have no draft of this prompt.")
        return Response(DraftSerializer(draft).data)

    @extend_schema(summary="Keep a draft", request=DraftChangeSerializer, responses=DraftSerializer)
    def put(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug, "edit")
        body = self.read(DraftChangeSerializer)
        if body["base"] is not None:
            body["base"] = self.version(prompt, body["base"])
        return Response(DraftSerializer(drafts.keep_draft(actor=self.actor, prompt=prompt, **body)).data)

    @extend_schema(summary="Drop your draft", responses={204: None})
    def delete(self, request: Any, slug: str) -> Response:
        drafts.drop_draft(actor=self.actor, prompt=self.prompt(slug, "edit"))
        return Response(status=204)
