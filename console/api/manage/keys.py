"""API keys. The full text of a key is only in the answer that creates it."""

import datetime as dt
import uuid
from typing import Any

from django.db import transaction
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed, seen_revision
from console.core.lanes import Lane
from console.teams import access
from console.teams.models import ApiKey, Environment, UnknownFields, User
from console.teams.roles import ADMINISTRATIVE_SCOPES, DEFAULT_SCOPES, SCOPES
from console.teams.services import keys

_MOST_OVERLAP_HOURS = 24 * 7


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    key = serializers.CharField(source="shown", help_text="What is left to see of it: fk_live_…7f2c")
    unknown_fields_now = serializers.CharField(
        read_only=True,
        help_text="What holds: the key's own word, unless it is laxer than the installation's and no operator's.",
    )
    owner = serializers.EmailField(source="owner.email", default=None, help_text="Who answers for it.")

    class Meta:
        model = ApiKey
        fields = [
            "id", "team", "name", "key", "environment", "scopes", "aliases", "networks", "max_lane",
            "unknown_fields", "unknown_fields_now", "owner", "revision", "created_at", "expires_at",
            "revoked_at", "last_used_at", "replaced_by",
        ]  # fmt: skip


class NewKeySerializer(Strict):
    team = serializers.SlugField(help_text="The team's short name.")
    name = serializers.CharField(max_length=80)
    environment = serializers.ChoiceField(choices=Environment.choices)
    scopes = serializers.MultipleChoiceField(choices=sorted(SCOPES), default=lambda: set(DEFAULT_SCOPES))
    aliases = serializers.ListField(child=serializers.CharField(max_length=100), default=list, max_length=100)
    networks = serializers.ListField(child=serializers.CharField(max_length=50), default=list, max_length=50)
    max_lane = serializers.ChoiceField(
        choices=Lane.choices, default=Lane.INTERACTIVE.value, help_text="The fastest lane its calls may have."
    )
    unknown_fields = serializers.ChoiceField(
        choices=UnknownFields.choices,
        default=UnknownFields.INSTALLATION.value,
        help_text="What happens to request fields Facet does not know; empty: what the installation's setting says.",
    )
    expires_at = serializers.DateTimeField(default=None, allow_null=True)


class KeyChangeSerializer(Strict):
    name = serializers.CharField(max_length=80, required=False)
    scopes = serializers.MultipleChoiceField(choices=sorted(SCOPES), required=False)
    aliases = serializers.ListField(child=serializers.CharField(max_length=100), required=False, max_length=100)
    networks = serializers.ListField(child=serializers.CharField(max_length=50), required=False, max_length=50)
    max_lane = serializers.ChoiceField(choices=Lane.choices, required=False)
    unknown_fields = serializers.ChoiceField(choices=UnknownFields.choices, required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    seen_revision = seen_revision()


class RotationSerializer(Strict):
    overlap_hours = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=_MOST_OVERLAP_HOURS,
        help_text="What the old key has under way goes on with the new one then; with 0 it ends at once.",
    )


class HandOverSerializer(Strict):
    owner = serializers.EmailField(help_text="A member of the key's team.")


class MadeKeySerializer(KeySerializer):
    text = serializers.CharField(help_text="The whole key. Shown once.")

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "text"]


def _created(key: ApiKey, text: str) -> Response:
    return Response({**KeySerializer(key).data, "text": text}, status=201)


class _KeyEndpoint(Endpoint):
    needs = "manage_keys"

    def _check_recent(self, scopes: set[str]) -> None:
        """Have a person sign in again before a key with an administrative scope is made."""
        if scopes & ADMINISTRATIVE_SCOPES:
            self.ask_again("make a key that may administer")

    def _owner(self) -> User | None:
        """Return who answers for a key made now: the person, or whoever answers for the key that makes it."""
        if self.caller.user is not None:
            return self.caller.user
        assert self.caller.key_id is not None
        return ApiKey.objects.select_related("owner").get(pk=self.caller.key_id).owner


class Keys(_KeyEndpoint):
    @extend_schema(
        operation_id="list_keys",
        summary="List API keys",
        parameters=[OpenApiParameter("team", str, description="Only this team's keys.")],
        responses=listed(KeySerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.keys_for(self.caller)
        team = self.asked_team("manage_keys")
        return self.page(rows.filter(team=team) if team else rows, KeySerializer)

    @extend_schema(summary="Create an API key", request=NewKeySerializer, responses={201: MadeKeySerializer})
    def post(self, request: Any) -> Response:
        body = self.read(NewKeySerializer)
        self._check_recent(set(body["scopes"]))
        team = access.team_for(self.caller, body.pop("team"), to="manage_keys")
        body["scopes"] = sorted(body["scopes"])
        return _created(*keys.create_key(actor=self.actor, team=team, owner=self._owner(), **body))


class OneKey(_KeyEndpoint):
    @extend_schema(summary="Show an API key", responses=KeySerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return Response(KeySerializer(access.key_for(self.caller, pk)).data)

    @extend_schema(summary="Change an API key", request=KeyChangeSerializer, responses=KeySerializer)
    @transaction.atomic
    def patch(self, request: Any, pk: uuid.UUID) -> Response:
        body = self.read(KeyChangeSerializer)
        key = keys.lock_key(access.key_for(self.caller, pk))  # what is not given stays as it is by now
        scopes = set(body.get("scopes", key.scopes))
        self._check_recent(scopes - set(key.scopes))
        key = keys.change_key(
            actor=self.actor,
            key=key,
            name=body.get("name", key.name),
            scopes=sorted(scopes),
            aliases=body.get("aliases", key.aliases),
            networks=body.get("networks", key.networks),
            max_lane=body.get("max_lane"),
            unknown_fields=body.get("unknown_fields"),
            expires_at=body.get("expires_at", key.expires_at),
            seen_revision=body.get("seen_revision"),
        )
        return Response(KeySerializer(key).data)

    @extend_schema(summary="Revoke an API key, from its next request on", responses=KeySerializer)
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        return Response(KeySerializer(keys.revoke_key(actor=self.actor, key=access.key_for(self.caller, pk))).data)


class Rotation(_KeyEndpoint):
    @extend_schema(
        summary="Replace an API key; the old one lives on for the overlap",
        request=RotationSerializer,
        responses={201: MadeKeySerializer},
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        key = access.key_for(self.caller, pk)
        self._check_recent(set(key.scopes))
        overlap = dt.timedelta(hours=self.read(RotationSerializer)["overlap_hours"])
        return _created(*keys.rotate_key(actor=self.actor, key=key, overlap=overlap))


class HandOver(_KeyEndpoint):
    @extend_schema(
        summary="Have another member answer for an API key",
        request=HandOverSerializer,
        responses=KeySerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        key = access.key_for(self.caller, pk)
        self._check_recent(set(key.scopes))
        owner = access.member_by_email(key.team, self.read(HandOverSerializer)["owner"])
        return Response(KeySerializer(keys.hand_over_key(actor=self.actor, key=key, owner=owner)).data)


urlpatterns = [
    path("keys/", Keys.as_view(), name="keys"),
    path("keys/<uuid:pk>/", OneKey.as_view(), name="key"),
    path("keys/<uuid:pk>/rotate/", Rotation.as_view(), name="rotate_key"),
    path("keys/<uuid:pk>/hand-over/", HandOver.as_view(), name="hand_over_key"),
]
