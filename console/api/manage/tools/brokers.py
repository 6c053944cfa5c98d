"""Brokers, and parked messages of their queues."""

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access
from agents_app.models import Broker, Firing
from agents_app.services import brokers, parked
from console.api.manage.base import Endpoint, Strict, listed
from console.api.pagination import page_of
from console.teams import access as teams_access


class BrokerSerializer(serializers.ModelSerializer[Broker]):
    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    address = serializers.CharField(help_text="Without its password, which is never shown.")

    class Meta:
        model = Broker
        fields = ["id", "slug", "team", "name", "address", "trouble", "checked_at", "revision", "created_at"]


class NewBrokerSerializer(Strict):
    team = serializers.CharField()
    slug = serializers.CharField(help_text="Triggers name it so.")
    name = serializers.CharField(required=False)
    url = serializers.CharField(help_text="The address with user and password: amqps://facet:password@host/vhost.")


class BrokerChangeSerializer(Strict):
    name = serializers.CharField(required=False)
    url = serializers.CharField(required=False)
    revision = serializers.IntegerField(required=False, help_text="The revision this change was made on.")


class ParkedMessageSerializer(serializers.ModelSerializer[Firing]):
    """`body` is null for those who may not read content."""

    agent = serializers.CharField(source="trigger.agent.slug")
    trigger = serializers.UUIDField(source="trigger_id")
    body = serializers.SerializerMethodField()

    class Meta:
        model = Firing
        fields = ["id", "agent", "trigger", "key", "body", "trouble", "attempts", "at"]

    def get_body(self, firing: Firing) -> Any:
        caller = self.context["caller"]
        return firing.body if access.may_read_items(caller, firing.trigger.agent.team) else None


class ParkedMessageRunSerializer(serializers.Serializer[Any]):
    run = serializers.CharField()


class Brokers(Endpoint):
    needs = "view_team"
    needs_to = {"POST": "manage_team"}

    @extend_schema(
        operation_id="list_brokers",
        summary="List brokers, newest first",
        parameters=[OpenApiParameter("team", str)],
        responses=listed(BrokerSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.brokers_for(self.caller)
        return self.page(self.of_team(rows), BrokerSerializer)

    @extend_schema(
        summary="Connect a broker; nothing is asked of it", request=NewBrokerSerializer,
        responses={201: BrokerSerializer},
    )  # fmt: skip
    def post(self, request: Any) -> Response:
        body = self.read(NewBrokerSerializer)
        body["team"] = teams_access.team_for(self.caller, body["team"], to="manage_team")
        return Response(BrokerSerializer(brokers.create_broker(actor=self.actor, **body)).data, status=201)


class OneBroker(Endpoint):
    needs = "view_team"
    needs_to = {"PATCH": "manage_team", "DELETE": "manage_team"}

    @extend_schema(summary="Show a broker", responses=BrokerSerializer)
    def get(self, request: Any, pk: UUID) -> Response:
        return Response(BrokerSerializer(access.broker_for(self.caller, pk)).data)

    @extend_schema(summary="Change a broker", request=BrokerChangeSerializer, responses=BrokerSerializer)
    def patch(self, request: Any, pk: UUID) -> Response:
        broker = access.broker_for(self.caller, pk, to="connect")
        body = self.read(BrokerChangeSerializer)
        revision = body.pop("revision", None)
        changed = brokers.change_broker(actor=self.actor, broker=broker, seen_revision=revision, **body)
        return Response(BrokerSerializer(changed).data)

    @extend_schema(summary="Remove a broker no trigger reads", responses={204: None})
    def delete(self, request: Any, pk: UUID) -> Response:
        brokers.delete_broker(actor=self.actor, broker=access.broker_for(self.caller, pk, to="connect"))
        return Response(status=204)


class Look(Endpoint):
    needs = "manage_team"
    calls_out = True

    @extend_schema(
        operation_id="look_at_broker",
        summary="Test the connection to a broker; trouble says what is wrong",
        request=None,
        responses=BrokerSerializer,
    )
    def post(self, request: Any, pk: UUID) -> Response:
        broker = access.broker_for(self.caller, pk, to="connect")
        brokers.look_at_broker(actor=self.actor, broker=broker)
        broker.refresh_from_db()
        return Response(BrokerSerializer(broker).data)


class ParkedMessages(Endpoint):
    needs = "view_team"

    @extend_schema(
        operation_id="list_parked_messages",
        summary="List parked messages of external queues, newest first",
        parameters=[OpenApiParameter("agent", str)],
        responses=listed(ParkedMessageSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.parked_messages_for(self.caller)
        if agent := request.query_params.get("agent"):
            rows = rows.filter(trigger__agent=access.agent_for(self.caller, agent, to="inspect"))
        messages, after = page_of(request, rows)
        data = ParkedMessageSerializer(messages, many=True, context={"caller": self.caller})
        return Response({"data": data.data, "next": after})


class TryAgain(Endpoint):
    needs = "build"

    @extend_schema(
        operation_id="try_parked_message_again",
        summary="Start the run of a parked message; the answer says if something still prevents it",
        request=None,
        responses=ParkedMessageRunSerializer,
    )
    def post(self, request: Any, pk: UUID) -> Response:
        firing = access.parked_message_for(self.caller, pk, to="edit")
        return Response({"run": parked.try_again(actor=self.actor, firing=firing).public_id})


class Drop(Endpoint):
    needs = "build"

    @extend_schema(
        operation_id="drop_parked_message",
        summary="Drop a parked message; it starts nothing when it is delivered again",
        request=None,
        responses={204: None},
    )
    def post(self, request: Any, pk: UUID) -> Response:
        parked.drop(actor=self.actor, firing=access.parked_message_for(self.caller, pk, to="edit"))
        return Response(status=204)


urlpatterns = [
    path("brokers/", Brokers.as_view(), name="brokers"),
    path("brokers/<uuid:pk>/", OneBroker.as_view(), name="broker"),
    path("brokers/<uuid:pk>/look/", Look.as_view(), name="look_at_broker"),
    path("parked-messages/", ParkedMessages.as_view(), name="parked_messages"),
    path("parked-messages/<uuid:pk>/try-again/", TryAgain.as_view(), name="try_parked_message"),
    path("parked-messages/<uuid:pk>/drop/", Drop.as_view(), name="drop_parked_message"),
]
