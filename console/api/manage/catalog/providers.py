"""Providers: connect, change, test, remove; their recent failures, and imports of models."""

from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed, seen_revision
from console.api.manage.catalog.models import ModelSerializer
from console.catalog import access
from console.catalog.families import KINDS, is_sure
from console.catalog.models import Provider, ProviderIncident
from console.catalog.published import NOT_ASKED, published
from console.catalog.services import connection, imports, providers
from console.core.errors import BadInput
from console.teams.access import OPERATOR


class ProviderSerializer(serializers.ModelSerializer[Provider]):
    class Meta:
        model = Provider
        fields = [
            "id", "slug", "name", "kind", "base_url", "has_secret", "is_builtin", "is_enabled", "first_byte_seconds",
            "total_seconds", "max_concurrency", "requests_per_minute", "tokens_per_minute", "preset", "tested_at",
            "was_test_ok", "revision", "created_at",
        ]  # fmt: skip


class NewProviderSerializer(Strict):
    slug = serializers.SlugField(max_length=60)
    name = serializers.CharField(max_length=120)
    kind = serializers.CharField(max_length=30)
    base_url = serializers.CharField(max_length=500)
    secret = serializers.CharField(
        default="", allow_blank=True, max_length=2000, help_text="Encrypted; never returned."
    )
    first_byte_seconds = serializers.IntegerField(default=None, allow_null=True)
    total_seconds = serializers.IntegerField(default=None, allow_null=True)
    max_concurrency = serializers.IntegerField(
        default=None, allow_null=True, help_text="Concurrent calls; null: no limit."
    )
    requests_per_minute = serializers.IntegerField(default=None, allow_null=True)
    tokens_per_minute = serializers.IntegerField(default=None, allow_null=True)


class ProviderChangeSerializer(Strict):
    name = serializers.CharField(max_length=120, required=False)
    kind = serializers.CharField(max_length=30, required=False, help_text="Not while a pin means one of its models.")
    base_url = serializers.CharField(max_length=500, required=False, help_text="Another host takes the secret away.")
    secret = serializers.CharField(required=False, allow_blank=True, max_length=2000, help_text="Empty removes it.")
    first_byte_seconds = serializers.IntegerField(required=False, allow_null=True)
    total_seconds = serializers.IntegerField(required=False, allow_null=True)
    max_concurrency = serializers.IntegerField(required=False, allow_null=True)
    requests_per_minute = serializers.IntegerField(required=False, allow_null=True)
    tokens_per_minute = serializers.IntegerField(required=False, allow_null=True)
    seen_revision = seen_revision()
    is_enabled = serializers.BooleanField(required=False)


class TestSerializer(serializers.Serializer[Any]):
    is_ok = serializers.BooleanField()
    sentence = serializers.CharField()
    took_us = serializers.IntegerField()
    models = serializers.ListField(child=serializers.CharField())
    missing = serializers.ListField(child=serializers.CharField(), help_text="Known here, not named by the provider.")
    left_out = serializers.IntegerField(help_text="Named, but not listed: no names of models, or too many.")
    unsure = serializers.SerializerMethodField(
        help_text="Those of `models` whose names do not tell what they are. Say it in `kinds` when you import them."
    )

    def get_unsure(self, outcome: connection.Outcome) -> list[str]:
        return [name for name in outcome.models if not is_sure(name)]


class PublishedPriceSerializer(serializers.Serializer[Any]):
    model = serializers.CharField()
    input = serializers.DecimalField(12, 6)
    cached_input = serializers.DecimalField(12, 6, allow_null=True)
    output = serializers.DecimalField(12, 6, allow_null=True)
    reasoning = serializers.DecimalField(12, 6, allow_null=True)
    cache_write = serializers.DecimalField(12, 6, allow_null=True)
    cache_write_1h = serializers.DecimalField(12, 6, allow_null=True)
    audio_input = serializers.DecimalField(12, 6, allow_null=True)
    audio_output = serializers.DecimalField(12, 6, allow_null=True)
    long_above = serializers.IntegerField(allow_null=True)
    long_input = serializers.DecimalField(12, 6, allow_null=True)
    long_output = serializers.DecimalField(12, 6, allow_null=True)
    is_tiered = serializers.BooleanField(help_text="Long inputs cost more than this says.")


class PublishedSerializer(serializers.Serializer[Any]):
    list = serializers.CharField(help_text="Its name and version; empty where prices here are not in dollars.")
    data = PublishedPriceSerializer(many=True)  # type: ignore[assignment]


class ImportSerializer(Strict):
    models = serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=imports.MOST_AT_ONCE, help_text="Names at the provider."
    )
    published_prices = serializers.BooleanField(
        default=False, help_text="Take the published price of each that has one; look at them first."
    )
    kinds = serializers.DictField(
        child=serializers.ChoiceField(KINDS),
        default=dict,
        help_text="What a model is, by name, where its name does not tell. Left out, it is taken for one that chats; "
        "one that seems not to be for text is refused.",
    )


class IncidentSerializer(serializers.ModelSerializer[ProviderIncident]):
    class Meta:
        model = ProviderIncident
        fields = ["id", "code", "sentence", "model", "count", "minute", "last_at"]


class Providers(Endpoint):
    needs = OPERATOR

    @extend_schema(operation_id="list_providers", summary="List providers", responses=listed(ProviderSerializer))
    def get(self, request: Any) -> Response:
        return self.page(access.providers_for(self.caller), ProviderSerializer)

    @extend_schema(summary="Connect a provider", request=NewProviderSerializer, responses={201: ProviderSerializer})
    def post(self, request: Any) -> Response:
        provider = providers.create_provider(actor=self.actor, **self.read(NewProviderSerializer))
        return Response(ProviderSerializer(provider).data, status=201)


class OneProvider(Endpoint):
    needs = OPERATOR

    @extend_schema(summary="Show a provider", responses=ProviderSerializer)
    def get(self, request: Any, slug: str) -> Response:
        return Response(ProviderSerializer(access.provider_for(self.caller, slug)).data)

    @extend_schema(summary="Change a provider", request=ProviderChangeSerializer, responses=ProviderSerializer)
    def patch(self, request: Any, slug: str) -> Response:
        provider = access.provider_for(self.caller, slug)
        body = self.read(ProviderChangeSerializer)
        enabled = body.pop("is_enabled", None)
        with transaction.atomic():
            if body:
                provider = providers.change_provider(actor=self.actor, provider=provider, **body)
            if enabled is not None:
                provider = providers.enable_provider(actor=self.actor, provider=provider, enabled=enabled)
        return Response(ProviderSerializer(provider).data)

    @extend_schema(summary="Remove a provider and its models, if no pin ever meant one", responses={204: None})
    def delete(self, request: Any, slug: str) -> Response:
        providers.delete_provider(actor=self.actor, provider=access.provider_for(self.caller, slug))
        return Response(status=204)


class ProviderTest(Endpoint):
    needs = OPERATOR
    calls_out = True

    @extend_schema(summary="Call the provider and list its models", request=None, responses=TestSerializer)
    def post(self, request: Any, slug: str) -> Response:
        outcome = connection.check_connection(actor=self.actor, provider=access.provider_for(self.caller, slug))
        return Response(TestSerializer(outcome).data)


class ProviderImport(Endpoint):
    needs = OPERATOR

    @extend_schema(
        summary="Add several models, with capabilities and limits guessed from their names",
        request=ImportSerializer,
        responses={201: ModelSerializer(many=True)},
    )
    def post(self, request: Any, slug: str) -> Response:
        provider = access.provider_for(self.caller, slug)
        body = self.read(ImportSerializer)
        known = published(provider, body["models"]) if body["published_prices"] else NOT_ASKED
        prices = {name: (price.input, price.output) for name, price in known.prices.items()}
        versions = imports.import_models(
            actor=self.actor,
            provider=provider,
            names=body["models"],
            prices=prices,
            known_prices=known,
            kinds=body["kinds"],
        )
        return Response(ModelSerializer(versions, many=True).data, status=201)


class PublishedPrices(Endpoint):
    needs = OPERATOR

    @extend_schema(
        operation_id="list_published_prices",
        summary="Look published prices of a provider's models up, without setting any",
        parameters=[OpenApiParameter("model", str, many=True, required=True, description="Names at the provider.")],
        responses=PublishedSerializer,
    )
    def get(self, request: Any, slug: str) -> Response:
        provider = access.provider_for(self.caller, slug)
        names = request.query_params.getlist("model")
        if not 0 < len(names) <= imports.MOST_AT_ONCE:
            raise BadInput(f"Name 1 to {imports.MOST_AT_ONCE} models.", param="model")
        prices = published(provider, [name[:200] for name in names])
        rows = [{"model": name, **asdict(price)} for name, price in prices.prices.items()]
        return Response(PublishedSerializer({"list": prices.source, "data": rows}).data)


class Incidents(Endpoint):
    needs = OPERATOR

    @extend_schema(
        operation_id="list_incidents",
        summary="List what went wrong at a provider lately",
        responses=listed(IncidentSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        rows = ProviderIncident.objects.filter(provider=access.provider_for(self.caller, slug))
        return self.page(rows, IncidentSerializer)


urlpatterns = [
    path("providers/", Providers.as_view(), name="providers"),
    path("providers/<slug:slug>/", OneProvider.as_view(), name="provider"),
    path("providers/<slug:slug>/test/", ProviderTest.as_view(), name="test_provider"),
    path("providers/<slug:slug>/import/", ProviderImport.as_view(), name="import_models"),
    path("providers/<slug:slug>/published-prices/", PublishedPrices.as_view(), name="published_prices"),
    path("providers/<slug:slug>/incidents/", Incidents.as_view(), name="incidents"),
]
