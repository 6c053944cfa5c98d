"""Labels: publish, roll back, remove; their history, and the rules of a team."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from console.api.manage.base import Endpoint, listed
from console.api.manage.prompts.base import PromptEndpoint
from console.api.manage.prompts.shapes import (
    LabelMoveSerializer,
    LabelSerializer,
    MoveBackSerializer,
    PublishSerializer,
    RuleChangeSerializer,
    RuleSerializer,
)
from console.teams import access as teams_access
from prompts_app import access
from prompts_app.models import Label, LabelMove, LabelRule
from prompts_app.services import labels


class Labels(PromptEndpoint):
    @extend_schema(
        operation_id="list_prompt_labels",
        summary="List the labels of a prompt",
        responses=listed(LabelSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        return self.page(Label.objects.filter(prompt=self.prompt(slug)).select_related("version"), LabelSerializer)


class OneLabel(PromptEndpoint):
    needs_to = {"PUT": "build", "DELETE": "build"}

    @extend_schema(summary="Show where a label points", responses=LabelSerializer)
    def get(self, request: Any, slug: str, label: str) -> Response:
        return Response(LabelSerializer(access.label_for(self.prompt(slug), self.label_name(label))).data)

    @extend_schema(summary="Publish: point a label at a version", request=PublishSerializer, responses=LabelSerializer)
    def put(self, request: Any, slug: str, label: str) -> Response:
        prompt = self.prompt(slug, "publish")
        body = self.read(PublishSerializer)
        version = self.version(prompt, body.pop("version"))
        moved = labels.publish(actor=self.actor, prompt=prompt, version=version, label=label, **body)
        return Response(LabelSerializer(moved).data)

    @extend_schema(summary="Take a label off", request=MoveBackSerializer, responses={204: None})
    def delete(self, request: Any, slug: str, label: str) -> Response:
        prompt = self.prompt(slug, "publish")
        access.label_for(prompt, self.label_name(label))
        labels.remove_label(actor=self.actor, prompt=prompt, label=label, **self.read(MoveBackSerializer))
        return Response(status=204)


class RollBack(PromptEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="roll_back_prompt",
        summary="Point a label at what it meant before",
        request=MoveBackSerializer,
        responses=LabelSerializer,
    )
    def post(self, request: Any, slug: str, label: str) -> Response:
        prompt = self.prompt(slug, "publish")
        access.label_for(prompt, self.label_name(label))
        moved = labels.roll_back(actor=self.actor, prompt=prompt, label=label, **self.read(MoveBackSerializer))
        return Response(LabelSerializer(moved).data)


class Moves(PromptEndpoint):
    @extend_schema(
        operation_id="list_label_moves",
        summary="List the moves of a prompt's labels",
        responses=listed(LabelMoveSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        rows = LabelMove.objects.filter(prompt=self.prompt(slug)).select_related("from_version", "to_version")
        return self.page(rows, LabelMoveSerializer)


class Rules(Endpoint):
    needs, needs_to = "view_team", {"PUT": "manage_team"}

    @extend_schema(
        operation_id="list_label_rules",
        summary="List what your teams ask before a label moves",
        responses=listed(RuleSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = LabelRule.objects.filter(team__in=teams_access.teams_for(self.caller)).select_related("team")
        return self.page(rows, RuleSerializer)

    @extend_schema(
        operation_id="set_label_rule",
        summary="Protect a label, or end its protection",
        request=RuleChangeSerializer,
        responses={200: RuleSerializer, 204: None},
    )
    def put(self, request: Any) -> Response:
        body = self.read(RuleChangeSerializer)
        team = teams_access.team_for(self.caller, body.pop("team"), to="manage_team")
        rule = labels.set_rule(actor=self.actor, team=team, **body)
        return Response(RuleSerializer(rule).data) if rule else Response(status=204)
