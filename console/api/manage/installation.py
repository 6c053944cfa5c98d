"""The OpenAPI document, facts about the installation, and the 404 of the API."""

from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

from django.conf import settings
from django.http import HttpResponse
from django.urls import path, re_path, reverse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response

from console.api.manage.base import Endpoint
from console.api.permissions import DeclaredPermission
from console.core.errors import NotFound
from console.core.installation import facts
from console.teams import access
from console.telemetry import queries


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document, worked out once: it takes half a second and never changes while a process lives."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return schema


@cache
def _rendered(renderer: Callable[[], BaseRenderer]) -> bytes:
    """Return the document in one of its forms, written once: as YAML that takes a second."""
    text = renderer().render(document(), renderer_context={})
    return text if isinstance(text, bytes) else text.encode()


class Schema(SpectacularAPIView):
    """The OpenAPI document of this API."""

    needs = access.SIGNED_IN
    permission_classes = [DeclaredPermission]

    @extend_schema(exclude=True)
    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        form = request.accepted_renderer
        charset = f"; charset={form.charset}" if form.charset else ""
        return HttpResponse(_rendered(form.__class__), content_type=f"{form.media_type}{charset}")

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        if response.status_code >= 400:  # a refusal is JSON, whatever form of the document was asked for
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)


class SettingsSerializer(serializers.Serializer[Any]):
    settings = serializers.DictField(help_text="By group: name, value and the variable that sets it.")


class Settings(Endpoint):
    needs = access.OPERATOR

    @extend_schema(summary="How the installation is set up", responses=SettingsSerializer)
    def get(self, request: Any) -> Response:
        content = {
            group: [{"name": fact.label, "value": str(fact.value), "variable": fact.variable} for fact in rows]
            for group, rows in facts()
        }
        return Response({"settings": content})


class MetricsSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    readers = serializers.CharField(help_text="Whose tokens are taken, in words.")
    most_series = serializers.IntegerField(help_text="Cuts of calls with series of their own.")


class TracesSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(["off", "waiting", "ok", "failing"])
    collector = serializers.CharField(help_text="Its host; empty while off.")
    exported = serializers.IntegerField(help_text="Spans the collector has taken.")
    dropped = serializers.IntegerField(help_text="Spans the collector refused for good.")
    exported_at = serializers.DateTimeField(allow_null=True)
    failures = serializers.IntegerField(help_text="In a row.")
    next_try_at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField(help_text="The last one, empty once traces are taken again.")
    problem_at = serializers.DateTimeField(allow_null=True)


class ObservabilitySerializer(serializers.Serializer[Any]):
    metrics = MetricsSerializer()
    traces = TracesSerializer()


class Observability(Endpoint):
    needs = access.OPERATOR

    @extend_schema(summary="What monitoring is told, and how that goes", responses=ObservabilitySerializer)
    def get(self, request: Any) -> Response:
        metrics = {
            "path": reverse("telemetry:metrics"),
            "readers": queries.metrics_readers(),
            "most_series": settings.METRICS_MOST_SERIES,
        }
        return Response(ObservabilitySerializer({"metrics": metrics, "traces": queries.traces()}).data)


class Unknown(Endpoint):
    needs = access.PUBLIC

    def _refuse(self) -> NoReturn:
        raise NotFound("There is no such address in this API; /docs/api/ lists them.", code="unknown_route")

    @extend_schema(exclude=True)
    def get(self, request: Any) -> Response:
        self._refuse()

    post = put = patch = delete = get


urlpatterns = [
    path("schema/", Schema.as_view(), name="schema"),
    path("observability/", Observability.as_view(), name="observability"),
    path("settings/", Settings.as_view(), name="settings"),
    re_path(r"", Unknown.as_view(), name="unknown"),
]
