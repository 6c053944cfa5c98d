"""Triggers of agents."""

import datetime as dt
import uuid
from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access
from agents_app.errors import UnknownTrigger
from agents_app.models import Agent, Firing, Reader, Trigger, TriggerToken
from agents_app.services import triggers as services
from console.api.manage.base import Endpoint, Strict, listed
from console.api.pagination import page_of
from console.core.errors import NotAllowed
from console.teams.models import ApiKey, Environment, User


class ReaderSerializer(serializers.ModelSerializer[Reader]):
    state = serializers.ChoiceField([("none", "none"), *Reader.State.choices])

    class Meta:
        model = Reader
        fields = ["state", "said", "last_message_at"]


class TriggerTokenSerializer(serializers.ModelSerializer[TriggerToken]):
    shown = serializers.CharField(help_text="How it begins and ends; it is never shown whole again.")

    class Meta:
        model = TriggerToken
        fields = ["id", "shown", "made_by", "created_at", "expires_at", "last_used_at"]


class TriggerSerializer(serializers.ModelSerializer[Trigger]):
    """Needs `agent`, `owner` and `set_up_by` at hand."""

    agent = serializers.CharField(source="agent.slug")
    owner = serializers.CharField(source="owner.email", default=None, help_text="For whom its runs act.")
    set_up_by = serializers.CharField(
        source="set_up_by.email",
        default=None,
        help_text="Who last said what it starts: not who approves it for others.",
    )
    address = serializers.SerializerMethodField(help_text="Where a webhook's deliveries go; null for other kinds.")
    has_secret = serializers.SerializerMethodField(help_text="Whether one is set; it is never shown.")
    tokens = serializers.SerializerMethodField(
        help_text="The bearer tokens of a webhook that are good now, newest first."
    )
    reader = serializers.SerializerMethodField(help_text="How reading a queue outside goes; null for other triggers.")

    class Meta:
        model = Trigger
        fields = [
            "id", "agent", "kind", "name", "config", "environment", "owner", "set_up_by", "is_enabled", "address",
            "has_secret", "tokens", "next_at", "last_at", "trouble", "reader", "revision", "created_at",
        ]  # fmt: skip

    @extend_schema_field(ReaderSerializer(allow_null=True))
    def get_reader(self, trigger: Trigger) -> dict[str, Any] | None:
        if "broker" not in trigger.config:
            return None
        reader: Reader | None = getattr(trigger, "reader", None)
        if reader is None or not reader.is_alive:
            return {"state": "none", "said": "", "last_message_at": reader and reader.last_message_at}
        return dict(ReaderSerializer(reader).data)

    def get_address(self, trigger: Trigger) -> str | None:
        return services.address_of(trigger) if trigger.kind == Trigger.Kind.WEBHOOK else None

    def get_has_secret(self, trigger: Trigger) -> bool:
        return bool(trigger.secret)

    @extend_schema_field(TriggerTokenSerializer(many=True))
    def get_tokens(self, trigger: Trigger) -> list[Any]:
        good = [token for token in trigger.tokens.all() if token.is_live]
        return list(TriggerTokenSerializer(good, many=True).data)


class TriggerMadeSerializer(TriggerSerializer):
    secret = serializers.SerializerMethodField(
        help_text="What a webhook is signed with, or its bearer token. Shown once."
    )

    class Meta(TriggerSerializer.Meta):
        fields = [*TriggerSerializer.Meta.fields, "secret"]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_secret(self, trigger: Trigger) -> str | None:
        return self.context.get("secret") or None


class NewTriggerSerializer(Strict):
    kind = serializers.ChoiceField(Trigger.Kind.choices)
    name = serializers.CharField()
    config = serializers.DictField(
        required=False, default=dict, help_text="What the kind needs (docs/runs.md), and input: values every run gets."
    )
    environment = serializers.ChoiceField(Environment.choices, required=False, default=Environment.PRODUCTION)


class TriggerChangeSerializer(Strict):
    name = serializers.CharField(required=False)
    config = serializers.DictField(required=False)
    environment = serializers.ChoiceField(Environment.choices, required=False)
    is_enabled = serializers.BooleanField(required=False)


class TriggerSecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Shown once.")


class RenewalSerializer(Strict):
    overlap_hours = serializers.IntegerField(
        min_value=0,
        max_value=168,
        required=False,
        default=0,
        help_text="How long the bearer tokens before go on; a secret that signs always stops at once.",
    )


class FiringSerializer(serializers.ModelSerializer[Firing]):
    """A tick, delivery or message; `may_read` in the context says whether with its content."""

    run = serializers.CharField(source="run.public_id", default=None)
    body = serializers.SerializerMethodField(help_text="Of a parked message; null for those who may not read content.")

    class Meta:
        model = Firing
        fields = ["id", "key", "state", "trouble", "attempts", "body", "run", "at"]

    def get_body(self, firing: Firing) -> Any:
        return firing.body if self.context["may_read"] else None


class TriggerEndpoint(Endpoint):
    """A view below one agent's triggers."""

    needs = "view_team"

    def agent(self, slug: str, to: str = "inspect") -> Agent:
        return access.agent_for(self.caller, slug, to)

    def trigger(self, slug: str, pk: uuid.UUID, to: str = "inspect") -> Trigger:
        rows = Trigger.objects.filter(agent=self.agent(slug, to)).select_related("agent__team", "owner")
        trigger = rows.filter(pk=pk).first()
        if trigger is None:
            raise UnknownTrigger
        return trigger

    def owner(self, agent: Agent) -> User:
        """Return for whom a new trigger's runs act: who asks, or who answers for the key that asks."""
        if self.caller.user is not None:
            return self.caller.user
        # Its runs act with the rights of a person, so a key that may not call models must not get that by a trigger.
        if not self.caller.may("use_models", agent.team_id):
            raise NotAllowed("A key needs models:call as well to make what starts runs.")
        assert self.caller.key_id is not None
        key = ApiKey.objects.select_related("owner").get(pk=self.caller.key_id)
        if key.owner is None:
            raise NotAllowed("Nobody answers for this key, so its triggers could act for nobody.")
        return key.owner

    def answer(self, trigger: Trigger, *, status: int = 200, secret: str = "") -> Response:
        row = Trigger.objects.select_related("agent", "owner", "set_up_by", "reader").filter(pk=trigger.pk).first()
        if row is None:
            raise UnknownTrigger
        if status == 201:
            content = TriggerMadeSerializer(row, context={"secret": secret}).data
            return Response(content, status=status)
        return Response(TriggerSerializer(row).data, status=status)


class Triggers(TriggerEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_triggers",
        summary="List what starts an agent by itself, newest first",
        responses=listed(TriggerSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        return self.page(
            Trigger.objects.filter(agent=self.agent(slug))
            .select_related("agent", "owner", "set_up_by", "reader")
            .prefetch_related("tokens"),
            TriggerSerializer,
        )

    @extend_schema(
        operation_id="create_trigger",
        summary="Make a schedule, webhook or queue start the agent; a webhook's secret or token is shown once",
        request=NewTriggerSerializer,
        responses={201: TriggerMadeSerializer},
    )
    def post(self, request: Any, slug: str) -> Response:
        agent = self.agent(slug, "edit")
        body = self.read(NewTriggerSerializer)
        trigger, secret = services.create_trigger(actor=self.actor, agent=agent, owner=self.owner(agent), **body)
        return self.answer(trigger, status=201, secret=secret)


class OneTrigger(TriggerEndpoint):
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(operation_id="trigger", summary="Show a trigger", responses=TriggerSerializer)
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        return self.answer(self.trigger(slug, pk))

    @extend_schema(
        operation_id="change_trigger",
        summary="Change a trigger, or switch it on or off; another auth takes the secret or the tokens away: renew it",
        request=TriggerChangeSerializer,
        responses=TriggerSerializer,
    )
    def patch(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        trigger = self.trigger(slug, pk, "edit")
        body = self.read(TriggerChangeSerializer)
        return self.answer(services.change_trigger(actor=self.actor, trigger=trigger, **body))

    @extend_schema(operation_id="delete_trigger", summary="Remove a trigger; its runs go on", responses={204: None})
    def delete(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        services.delete_trigger(actor=self.actor, trigger=self.trigger(slug, pk, "edit"))
        return Response(status=204)


class RenewSecret(TriggerEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="renew_trigger_secret",
        summary="Give a webhook another secret or bearer token, shown once; the old secret stops at once",
        request=RenewalSerializer,
        responses={201: TriggerSecretSerializer},
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        trigger = self.trigger(slug, pk, "edit")
        overlap = dt.timedelta(hours=self.read(RenewalSerializer)["overlap_hours"])
        secret = services.renew_secret(actor=self.actor, trigger=trigger, overlap=overlap)
        return Response({"secret": secret}, status=201)


class OneTriggerToken(TriggerEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="revoke_trigger_token",
        summary="Revoke a bearer token of a webhook; it is refused from the next delivery on",
        responses={204: None},
    )
    def delete(self, request: Any, slug: str, pk: uuid.UUID, token_id: uuid.UUID) -> Response:
        services.revoke_token(actor=self.actor, trigger=self.trigger(slug, pk, "edit"), token_id=token_id)
        return Response(status=204)


class Firings(TriggerEndpoint):
    @extend_schema(
        operation_id="list_firings",
        summary="List the ticks, deliveries and messages of a trigger, newest first, and what became of them",
        responses=listed(FiringSerializer),
    )
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        trigger = self.trigger(slug, pk)
        firings, after = page_of(request, Firing.objects.filter(trigger=trigger).select_related("run"))
        may_read = self.caller.may("read_content", trigger.agent.team_id)
        data = FiringSerializer(firings, many=True, context={"may_read": may_read})
        return Response({"data": data.data, "next": after})


_ONE = "agents/<slug:slug>/triggers/<uuid:pk>/"
urlpatterns = [
    path("agents/<slug:slug>/triggers/", Triggers.as_view(), name="triggers"),
    path(_ONE, OneTrigger.as_view(), name="trigger"),
    path(f"{_ONE}renew/", RenewSecret.as_view(), name="renew_trigger_secret"),
    path(f"{_ONE}tokens/<uuid:token_id>/", OneTriggerToken.as_view(), name="trigger_token"),
    path(f"{_ONE}firings/", Firings.as_view(), name="firings"),
]
