"""Model versions: add, change, price, retire, and where they are used."""

import uuid
from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed, seen_revision
from console.catalog import access
from console.catalog.models import PARTS, Amounts, Capability, ModelVersion, Price
from console.catalog.queries import collections_with, dependents
from console.catalog.services import versions
from console.teams.access import OPERATOR


class PriceSerializer(serializers.ModelSerializer[Price]):
    class Meta:
        model = Price
        fields = ["id", "effective_from", *PARTS]


class NewPriceSerializer(Strict):
    input = serializers.DecimalField(12, 6, help_text="Currency units per million tokens.")
    output = serializers.DecimalField(
        12, 6, default=None, allow_null=True, help_text="null: only for a model whose one capability is embedding."
    )
    cached_input = serializers.DecimalField(12, 6, default=None, allow_null=True, help_text="null: as input.")
    reasoning = serializers.DecimalField(12, 6, default=None, allow_null=True, help_text="null: as output.")
    cache_write = serializers.DecimalField(
        12, 6, default=None, allow_null=True, help_text="What is written to the provider's cache; null: as input."
    )
    cache_write_1h = serializers.DecimalField(
        12, 6, default=None, allow_null=True, help_text="What is written for an hour; null: as cache_write."
    )
    audio_input = serializers.DecimalField(12, 6, default=None, allow_null=True, help_text="null: as input.")
    audio_output = serializers.DecimalField(12, 6, default=None, allow_null=True, help_text="null: as output.")
    long_above = serializers.IntegerField(
        default=None,
        allow_null=True,
        help_text="Where the input has more tokens, long_input and long_output hold, and all else is dearer with them.",
    )
    long_input = serializers.DecimalField(12, 6, default=None, allow_null=True, help_text="null: as input.")
    long_output = serializers.DecimalField(12, 6, default=None, allow_null=True, help_text="null: as output.")
    effective_from = serializers.DateTimeField(default=None, allow_null=True)


class ModelSerializer(serializers.ModelSerializer[ModelVersion]):
    provider = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    prices = PriceSerializer(many=True)

    class Meta:
        model = ModelVersion
        fields = [
            "id", "provider", "name", "description", "context_tokens", "max_output_tokens", "capabilities",
            "shutdown_on", "successor", "retired_at", "revision", "created_at", "prices",
        ]  # fmt: skip


class ModelChangeSerializer(Strict):
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)
    context_tokens = serializers.IntegerField(required=False)
    max_output_tokens = serializers.IntegerField(required=False)
    capabilities = serializers.MultipleChoiceField(choices=Capability.choices, required=False)
    shutdown_on = serializers.DateField(required=False, allow_null=True)
    successor = serializers.UUIDField(required=False, allow_null=True)
    seen_revision = seen_revision()


class NewModelSerializer(ModelChangeSerializer):
    name = serializers.CharField(max_length=200, help_text="The model's name at the provider.")
    seen_revision = None  # type: ignore[assignment]


class ModelUseSerializer(serializers.Serializer[Any]):
    alias = serializers.CharField(source="pin.alias.name", default=None, help_text="Null: it is no pin.")
    environment = serializers.CharField(source="pin.environment", default=None)
    collection = serializers.CharField(source="name", default=None, help_text="A collection it makes vectors for.")
    team = serializers.CharField(default=None, help_text="Whose collection that is.")
    roles = serializers.ListField(
        child=serializers.ChoiceField(choices=["pinned", "canary", "shadow", "fallback", "vectors"]),
        default=["vectors"],
        help_text="What it is there.",
    )


class ProviderModels(Endpoint):
    needs = OPERATOR

    @extend_schema(summary="Add a model version", request=NewModelSerializer, responses={201: ModelSerializer})
    def post(self, request: Any, slug: str) -> Response:
        provider = access.provider_for(self.caller, slug)
        body = _fields(self, self.read(NewModelSerializer))
        return Response(
            ModelSerializer(versions.create_version(actor=self.actor, provider=provider, **body)).data, status=201
        )


def _fields(view: Endpoint, body: dict[str, Any]) -> dict[str, Any]:
    if "capabilities" in body:
        body["capabilities"] = versions.in_order(list(body["capabilities"]))
    if body.get("successor"):
        body["successor"] = access.version_for(view.caller, body["successor"])
    return body


class Models(Endpoint):
    needs = "view_team"

    @extend_schema(operation_id="list_models", summary="List model versions", responses=listed(ModelSerializer))
    def get(self, request: Any) -> Response:
        rows = access.versions_for(self.caller).select_related("provider").prefetch_related("prices")
        return self.page(rows, ModelSerializer)


class OneModel(Endpoint):
    needs, needs_to = "view_team", {"PATCH": OPERATOR}

    @extend_schema(summary="Show a model version", responses=ModelSerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return Response(ModelSerializer(access.version_for(self.caller, pk)).data)

    @extend_schema(summary="Change a model version's limits", request=ModelChangeSerializer, responses=ModelSerializer)
    def patch(self, request: Any, pk: uuid.UUID) -> Response:
        version = access.version_for(self.caller, pk)
        body = _fields(self, self.read(ModelChangeSerializer))
        return Response(ModelSerializer(versions.change_version(actor=self.actor, version=version, **body)).data)


class Retirement(Endpoint):
    needs = OPERATOR

    @extend_schema(summary="Retire a model version no pin uses", request=None, responses=ModelSerializer)
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        version = versions.retire_version(actor=self.actor, version=access.version_for(self.caller, pk))
        return Response(ModelSerializer(version).data)


class Prices(Endpoint):
    needs, needs_to = "view_team", {"POST": OPERATOR}

    @extend_schema(
        operation_id="list_prices",
        summary="List what a model version costs and did",
        responses=listed(PriceSerializer),
    )
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return self.page(Price.objects.filter(model_version=access.version_for(self.caller, pk)), PriceSerializer)

    @extend_schema(summary="Set a price from a date on", request=NewPriceSerializer, responses={201: PriceSerializer})
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        version = access.version_for(self.caller, pk)
        body = self.read(NewPriceSerializer)
        begins = body.pop("effective_from")
        price = versions.set_price(actor=self.actor, version=version, amounts=Amounts(**body), effective_from=begins)
        return Response(PriceSerializer(price).data, status=201)


class Uses(Endpoint):
    needs = "view_team"

    @extend_schema(
        summary="List the pins and collections that use a model version",
        responses=ModelUseSerializer(many=True),
    )
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        version = access.version_for(self.caller, pk)
        uses = [*dependents(version, access.aliases_for(self.caller)), *collections_with(version, self.caller)]
        return Response(ModelUseSerializer(uses, many=True).data)


urlpatterns = [
    path("providers/<slug:slug>/models/", ProviderModels.as_view(), name="provider_models"),
    path("models/", Models.as_view(), name="models"),
    path("models/<uuid:pk>/", OneModel.as_view(), name="model"),
    path("models/<uuid:pk>/retire/", Retirement.as_view(), name="retire_model"),
    path("models/<uuid:pk>/prices/", Prices.as_view(), name="prices"),
    path("models/<uuid:pk>/uses/", Uses.as_view(), name="model_uses"),
]
