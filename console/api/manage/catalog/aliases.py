"""Aliases and their rules: two-person approval, passing tests."""

from typing import Any

from django.db.models import prefetch_related_objects
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed, seen_revision
from console.api.manage.catalog.pins import PINS, PinSerializer
from console.api.manage.catalog.proposals import ProposalSerializer
from console.api.manage.catalog.shared import alias_for
from console.catalog import access
from console.catalog.models import Alias
from console.catalog.queries import teams_shown
from console.catalog.services import aliases
from console.catalog.services.pins import ask_to_lift_rule
from console.teams import access as teams_access
from console.teams.access import OPERATOR


class AliasSerializer(serializers.ModelSerializer[Alias]):
    teams = serializers.SlugRelatedField("slug", many=True, read_only=True)  # type: ignore[var-annotated]
    pins = PinSerializer(many=True)

    class Meta:
        model = Alias
        fields = ["id", "name", "description", "teams", "needs_second_person", "needs_tests", "pins"]
        fields += ["revision", "created_at"]


class AliasChangeSerializer(Strict):
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)
    teams = serializers.ListField(child=serializers.SlugField(), required=False, help_text="Empty: for every team.")
    seen_revision = seen_revision()


class NewAliasSerializer(AliasChangeSerializer):
    name = serializers.CharField(max_length=100)
    seen_revision = None  # type: ignore[assignment]


class SecondPersonSerializer(Strict):
    is_required = serializers.BooleanField(
        help_text="true holds at once; false is a proposal somebody else decides on."
    )
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class TestsRuleSerializer(Strict):
    is_required = serializers.BooleanField()
    reason = serializers.CharField(
        max_length=500, required=False, default="", allow_blank=True, help_text="Needed to end the rule."
    )


class Aliases(Endpoint):
    needs, needs_to = "view_team", {"POST": OPERATOR}

    @extend_schema(
        operation_id="list_aliases",
        summary="List aliases with their pins",
        responses=listed(AliasSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.aliases_for(self.caller).prefetch_related(teams_shown(self.caller), *PINS)
        return self.page(rows, AliasSerializer)

    @extend_schema(summary="Create an alias", request=NewAliasSerializer, responses={201: AliasSerializer})
    def post(self, request: Any) -> Response:
        body = _teams(self, self.read(NewAliasSerializer))
        return Response(AliasSerializer(aliases.create_alias(actor=self.actor, **body)).data, status=201)


def _teams(view: Endpoint, body: dict[str, Any]) -> dict[str, Any]:
    if "teams" in body:
        body["teams"] = [teams_access.team_for(view.caller, slug) for slug in body["teams"]]
    return body


class OneAlias(Endpoint):
    needs, needs_to = "view_team", {"PATCH": OPERATOR, "DELETE": OPERATOR}

    @extend_schema(summary="Show an alias with its pins", responses=AliasSerializer)
    def get(self, request: Any, name: str) -> Response:
        alias = alias_for(self, name)
        prefetch_related_objects([alias], teams_shown(self.caller), *PINS)
        return Response(AliasSerializer(alias).data)

    @extend_schema(summary="Change an alias", request=AliasChangeSerializer, responses=AliasSerializer)
    def patch(self, request: Any, name: str) -> Response:
        alias = alias_for(self, name)
        body = _teams(self, self.read(AliasChangeSerializer))
        return Response(AliasSerializer(aliases.change_alias(actor=self.actor, alias=alias, **body)).data)

    @extend_schema(summary="Delete an alias nothing uses", responses={204: None})
    def delete(self, request: Any, name: str) -> Response:
        aliases.delete_alias(actor=self.actor, alias=alias_for(self, name))
        return Response(status=204)


class SecondPerson(Endpoint):
    needs = OPERATOR

    @extend_schema(
        summary="Have two people agree on changes of the production pin, or propose to lift that",
        request=SecondPersonSerializer,
        responses={200: AliasSerializer, 202: ProposalSerializer},
    )
    def put(self, request: Any, name: str) -> Response:
        alias, body = alias_for(self, name), self.read(SecondPersonSerializer)
        if body["is_required"]:
            return Response(AliasSerializer(aliases.require_second_person(actor=self.actor, alias=alias)).data)
        proposal = ask_to_lift_rule(actor=self.actor, alias=alias, reason=body["reason"])
        return Response(ProposalSerializer(proposal).data, status=202)


class TestsRule(Endpoint):
    needs = OPERATOR

    @extend_schema(
        summary="Have the production pin move only where the scheduled tests hold, or end that",
        description="A move is 409 `tests_needed` while the tests were not run on that version within a day, or fail.",
        request=TestsRuleSerializer,
        responses=AliasSerializer,
    )
    def put(self, request: Any, name: str) -> Response:
        body = self.read(TestsRuleSerializer)
        return Response(
            AliasSerializer(aliases.require_tests(actor=self.actor, alias=alias_for(self, name), **body)).data
        )


urlpatterns = [
    path("aliases/", Aliases.as_view(), name="aliases"),
    path("aliases/<str:name>/", OneAlias.as_view(), name="alias"),
    path("aliases/<str:name>/second-person/", SecondPerson.as_view(), name="second_person"),
    path("aliases/<str:name>/tests-rule/", TestsRule.as_view(), name="tests_rule"),
]
