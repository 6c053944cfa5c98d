"""Queues. Items are added, and results read, at /v1/queues/."""

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access
from agents_app.models import Queue, QueueItem
from agents_app.services import queues
from console.api.manage.base import Endpoint, Strict, listed
from console.api.pagination import page_of
from console.teams import access as teams_access


class QueueSerializer(serializers.ModelSerializer[Queue]):
    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]

    class Meta:
        model = Queue
        fields = [
            "id", "slug", "team", "name", "description", "lease_seconds", "most_attempts", "keep_days",
            "callback_addresses", "revision", "created_at",
        ]  # fmt: skip


class _QueueFields(Strict):
    description = serializers.CharField(required=False, allow_blank=True)
    lease_seconds = serializers.IntegerField(required=False)
    most_attempts = serializers.IntegerField(required=False)
    keep_days = serializers.IntegerField(required=False)
    callback_addresses = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Where results may be sent: these addresses, and what is below them. With none, nowhere.",
    )


class NewQueueSerializer(_QueueFields):
    team = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()


class QueueChangeSerializer(_QueueFields):
    name = serializers.CharField(required=False)
    revision = serializers.IntegerField(required=False, help_text="The revision this change was made on.")


class QueueItemSerializer(serializers.ModelSerializer[QueueItem]):
    """`body`, `result` and `dedupe_id` are null for those who may not read content."""

    queue = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    run = serializers.CharField(source="run.public_id", default=None)
    body = serializers.SerializerMethodField()
    result = serializers.SerializerMethodField()
    dedupe_id = serializers.SerializerMethodField()

    class Meta:
        model = QueueItem
        fields = [
            "id", "queue", "state", "body", "dedupe_id", "result", "trouble", "attempts", "run", "put_by_name",
            "created_at", "not_before", "lease_until", "ended_at", "callback_url", "called_back_at", "callback_trouble",
        ]  # fmt: skip

    def _content(self, item: QueueItem, value: Any) -> Any:
        return value if item.queue.team_id in self.context["readable"] else None

    def get_body(self, item: QueueItem) -> Any:
        return self._content(item, item.body)

    def get_result(self, item: QueueItem) -> Any:
        return self._content(item, item.result)

    def get_dedupe_id(self, item: QueueItem) -> str | None:
        dedupe_id: str | None = self._content(item, item.dedupe_id)
        return dedupe_id


class QueueEndpoint(Endpoint):
    needs = "view_team"

    def data_of(self, items: list[QueueItem]) -> Any:
        teams = {item.queue.team for item in items}
        readable = {team.pk for team in teams if access.may_read_items(self.caller, team)}
        return QueueItemSerializer(items, many=True, context={"readable": readable}).data


class Queues(QueueEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_queues",
        summary="List queues, newest first",
        parameters=[OpenApiParameter("team", str)],
        responses=listed(QueueSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.queues_for(self.caller)
        return self.page(self.of_team(rows), QueueSerializer)

    @extend_schema(summary="Make a queue", request=NewQueueSerializer, responses={201: QueueSerializer})
    def post(self, request: Any) -> Response:
        body = self.read(NewQueueSerializer)
        body["team"] = teams_access.team_for(self.caller, body["team"], to="build")
        return Response(QueueSerializer(queues.create_queue(actor=self.actor, **body)).data, status=201)


class OneQueue(QueueEndpoint):
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(summary="Show a queue", responses=QueueSerializer)
    def get(self, request: Any, pk: UUID) -> Response:
        return Response(QueueSerializer(access.queue_for(self.caller, pk)).data)

    @extend_schema(summary="Change a queue", request=QueueChangeSerializer, responses=QueueSerializer)
    def patch(self, request: Any, pk: UUID) -> Response:
        queue = access.queue_for(self.caller, pk, to="edit")
        body = self.read(QueueChangeSerializer)
        revision = body.pop("revision", None)
        queue = queues.change_queue(actor=self.actor, queue=queue, seen_revision=revision, **body)
        return Response(QueueSerializer(queue).data)

    @extend_schema(summary="Archive a queue", responses={204: None})
    def delete(self, request: Any, pk: UUID) -> Response:
        queues.archive_queue(actor=self.actor, queue=access.queue_for(self.caller, pk, to="edit"))
        return Response(status=204)


class QueueSecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Shown this once: results that are sent to an address are signed with it.")


class Secret(QueueEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="renew_queue_secret",
        summary="Give a queue another secret to sign results with",
        request=None,
        responses=QueueSecretSerializer,
    )
    def post(self, request: Any, pk: UUID) -> Response:
        queue = access.queue_for(self.caller, pk, to="edit")
        return Response({"secret": queues.renew_queue_secret(actor=self.actor, queue=queue)})


class Items(QueueEndpoint):
    @extend_schema(
        operation_id="list_queue_items",
        summary="List items of a queue, newest first",
        parameters=[OpenApiParameter("state", str, enum=QueueItem.State.values)],
        responses=listed(QueueItemSerializer),
    )
    def get(self, request: Any, pk: UUID) -> Response:
        queue = access.queue_for(self.caller, pk)
        rows = QueueItem.objects.filter(queue=queue).select_related("queue__team", "run")
        if state := self.choice("state", QueueItem.State.values):
            rows = rows.filter(state=state)
        items, after = page_of(self.request, rows)
        return Response({"data": self.data_of(items), "next": after})


class _Move(QueueEndpoint):
    needs = "build"

    def item(self, pk: UUID) -> QueueItem:
        return access.item_for(self.caller, pk, to="edit")


class Park(_Move):
    @extend_schema(
        operation_id="park_queue_item",
        summary="Park an item, so that nobody takes it",
        request=None,
        responses=QueueItemSerializer,
    )
    def post(self, request: Any, pk: UUID) -> Response:
        return Response(self.data_of([queues.park(actor=self.actor, item=self.item(pk))])[0])


class Requeue(_Move):
    @extend_schema(
        operation_id="requeue_queue_item",
        summary="Requeue an item that failed or was parked",
        request=None,
        responses=QueueItemSerializer,
    )
    def post(self, request: Any, pk: UUID) -> Response:
        return Response(self.data_of([queues.requeue(actor=self.actor, item=self.item(pk))])[0])


urlpatterns = [
    path("queues/", Queues.as_view(), name="queues"),
    path("queues/<uuid:pk>/", OneQueue.as_view(), name="queue"),
    path("queues/<uuid:pk>/secret/", Secret.as_view(), name="renew_queue_secret"),
    path("queues/<uuid:pk>/items/", Items.as_view(), name="queue_items"),
    path("queue-items/<uuid:pk>/park/", Park.as_view(), name="park_queue_item"),
    path("queue-items/<uuid:pk>/requeue/", Requeue.as_view(), name="requeue_queue_item"),
]
