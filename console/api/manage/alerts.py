"""Alert channels of a team or of the installation, their tests and deliveries."""

import uuid
from typing import Any

from django.db import transaction
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed, seen_revision
from console.core.errors import BadInput
from console.core.ids import parse_id
from console.notices import access
from console.notices.addresses import LONGEST_ADDRESS, LONGEST_URL, MOST_ADDRESSES
from console.notices.kinds import OF_TEAMS, NoticeKind
from console.notices.models import Channel, Delivery
from console.notices.services import channel_tests, channels

_TEAM = OpenApiParameter("team", str, description="Only this team, by its short name.")
_CHANNEL = OpenApiParameter("channel", uuid.UUID, description="Only by this channel.")
_STATE = OpenApiParameter("state", str, enum=Delivery.State.values, description="Only in this state.")


class ChannelSerializer(serializers.ModelSerializer[Channel]):
    team = serializers.SlugField(source="team.slug", default=None, allow_null=True, help_text="Null: the installation.")
    has_secret = serializers.SerializerMethodField(help_text="Whether what it gets is signed.")
    host = serializers.CharField(help_text="Where its URL leads. The URL itself is never returned.")

    class Meta:
        model = Channel
        fields = [
            "id", "team", "kind", "name", "addresses", "host", "has_secret", "wants", "is_active", "revision",
            "delivered_at", "problem", "problem_at", "created_at",
        ]  # fmt: skip

    def get_has_secret(self, channel: Channel) -> bool:
        return bool(channel.secret)


class MadeChannelSerializer(ChannelSerializer):
    secret = serializers.CharField(allow_blank=True, help_text="What it signs with, if that is new: shown this once.")

    class Meta(ChannelSerializer.Meta):
        fields = [*ChannelSerializer.Meta.fields, "secret"]


def _wants(**more: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.ChoiceField(choices=NoticeKind.choices),
        help_text=f"Kinds of alerts. A team's channel: {', '.join(OF_TEAMS)}.",
        **more,
    )


def _addresses(**more: Any) -> serializers.ListField:
    address = serializers.CharField(max_length=LONGEST_ADDRESS)
    return serializers.ListField(child=address, max_length=MOST_ADDRESSES, help_text="Of email.", **more)


class NewChannelSerializer(Strict):
    kind = serializers.ChoiceField(choices=Channel.Kind.choices)
    name = serializers.CharField(max_length=80)
    wants = _wants()
    team = serializers.SlugField(
        default=None, allow_null=True, help_text="The team's short name; null, for operators: the installation."
    )
    addresses = _addresses(default=list)
    url = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=LONGEST_URL,
        help_text="Of slack and webhook. Encrypted; never returned.",
    )


class ChannelChangeSerializer(Strict):
    name = serializers.CharField(max_length=80, required=False)
    wants = _wants(required=False)
    addresses = _addresses(required=False)
    url = serializers.CharField(
        max_length=LONGEST_URL, required=False, help_text="Another host gets a new secret, shown in this answer."
    )
    renew_secret = serializers.BooleanField(required=False, help_text="The present one stops at once.")
    is_active = serializers.BooleanField(required=False)
    seen_revision = seen_revision()


class ChannelTestSerializer(serializers.Serializer[Any]):
    is_accepted = serializers.BooleanField()
    problem = serializers.CharField(help_text="Why not; empty when it was accepted.")
    status = serializers.IntegerField(allow_null=True, help_text="Of HTTP, when it was accepted.")
    said = serializers.CharField(help_text="The beginning of what it answered.")


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    channel = serializers.UUIDField(source="channel_id", allow_null=True, help_text="Null: by mail, without one.")
    kind = serializers.ChoiceField(choices=NoticeKind.choices, source="notice.kind")
    team = serializers.SlugField(source="notice.team.slug", default=None, allow_null=True)
    title = serializers.CharField(source="notice.title")
    url = serializers.CharField(source="notice.url")

    class Meta:
        model = Delivery
        fields = [
            "id", "channel", "way", "address", "kind", "team", "title", "url", "state", "attempts", "next_try_at",
            "problem", "created_at", "ended_at",
        ]  # fmt: skip


def _created(created: channels.SavedChannel, status: int = 200) -> Response:
    return Response({**ChannelSerializer(created.channel).data, "secret": created.secret}, status=status)


class Channels(Endpoint):
    needs = access.RIGHT

    @extend_schema(
        operation_id="list_channels",
        summary="List the channels alerts go by",
        parameters=[_TEAM],
        responses=listed(ChannelSerializer),
    )
    def get(self, request: Any) -> Response:
        scope = self.asked_team(access.RIGHT)
        rows = access.channels_for(self.caller)
        return self.page(rows.filter(team=scope) if scope else rows, ChannelSerializer)

    @extend_schema(summary="Set up a channel", request=NewChannelSerializer, responses={201: MadeChannelSerializer})
    def post(self, request: Any) -> Response:
        body = self.read(NewChannelSerializer)
        body["team"] = access.owner_for(self.caller, body["team"])
        return _created(channels.create_channel(actor=self.actor, **body), 201)


class OneChannel(Endpoint):
    needs = access.RIGHT

    @extend_schema(summary="Show a channel", responses=ChannelSerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return Response(ChannelSerializer(access.channel_for(self.caller, pk)).data)

    @extend_schema(
        summary="Change a channel, or switch it on or off",
        request=ChannelChangeSerializer,
        responses=MadeChannelSerializer,
    )
    def patch(self, request: Any, pk: uuid.UUID) -> Response:
        created = channels.SavedChannel(access.channel_for(self.caller, pk))
        body = self.read(ChannelChangeSerializer)
        enabled = body.pop("is_active", None)
        with transaction.atomic():
            if body:
                created = channels.change_channel(actor=self.actor, channel=created.channel, **body)
            if enabled is not None:
                switched = channels.enable_channel(actor=self.actor, channel=created.channel, enabled=enabled)
                created = created._replace(channel=switched)
        return _created(created)

    @extend_schema(summary="Delete a channel with its list of deliveries", responses={204: None})
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        channels.delete_channel(actor=self.actor, channel=access.channel_for(self.caller, pk))
        return Response(status=204)


class ChannelTest(Endpoint):
    needs = access.RIGHT
    calls_out = True

    @extend_schema(
        summary="Send a test by a channel, and return what the other side answered",
        request=None,
        responses=ChannelTestSerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        channel = access.channel_for(self.caller, pk)
        return Response(ChannelTestSerializer(channel_tests.try_channel(actor=self.actor, channel=channel)).data)


class Deliveries(Endpoint):
    needs = access.RIGHT

    @extend_schema(
        operation_id="list_deliveries",
        summary="List what was sent in the last 30 days, and what became of it",
        parameters=[_TEAM, _CHANNEL, _STATE],
        responses=listed(DeliverySerializer),
    )
    def get(self, request: Any) -> Response:
        parameters = request.query_params
        scope = self.asked_team(access.RIGHT)
        rows = access.deliveries_for(self.caller)
        if scope:
            rows = rows.filter(channel__team=scope)
        if parameters.get("channel"):
            rows = rows.filter(channel=access.channel_for(self.caller, _id(parameters["channel"])))
        if state := self.choice("state", Delivery.State.values):
            rows = rows.filter(state=state)
        return self.page(rows, DeliverySerializer)


def _id(text: str) -> uuid.UUID:
    id_ = parse_id(text)
    if id_ is None:
        raise BadInput("channel is the id of a channel.", param="channel")
    return id_


class TryAgain(Endpoint):
    needs = access.RIGHT

    @extend_schema(
        summary="Put a delivery that failed back on its way",
        request=None,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        delivery = channel_tests.try_again(actor=self.actor, delivery=access.delivery_for(self.caller, pk))
        return Response(DeliverySerializer(delivery).data, status=202)


urlpatterns = [
    path("alerts/channels/", Channels.as_view(), name="channels"),
    path("alerts/channels/<uuid:pk>/", OneChannel.as_view(), name="channel"),
    path("alerts/channels/<uuid:pk>/test/", ChannelTest.as_view(), name="test_channel"),
    path("alerts/deliveries/", Deliveries.as_view(), name="deliveries"),
    path("alerts/deliveries/<uuid:pk>/try-again/", TryAgain.as_view(), name="try_delivery_again"),
]
