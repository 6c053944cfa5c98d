"""The OpenAPI document, the installation's facts, and the answer to every address that is not there."""

from typing import Any, NoReturn

from django.urls import path, re_path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint
from console.core.errors import NotFound
from console.core.installation import facts
from console.teams import access


class Schema(SpectacularAPIView):
    """The OpenAPI document of this API."""

    needs = access.SIGNED_IN


class SettingsSerializer(serializers.Serializer[Any]):
    settings = serializers.DictField(help_text="By group: name, value and the variable that sets it.")


class Settings(Endpoint):
    needs = access.OPERATOR

    @extend_schema(tags=["installation"], summary="How the installation is set up", responses=SettingsSerializer)
    def get(self, request: Any) -> Response:
        said = {
            group: [{"name": fact.label, "value": str(fact.value), "variable": fact.variable} for fact in rows]
            for group, rows in facts()
        }
        return Response({"settings": said})


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
    path("settings/", Settings.as_view(), name="settings"),
    re_path(r"", Unknown.as_view(), name="unknown"),
]
