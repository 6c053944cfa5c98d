"""Providers, model versions, prices, aliases and pins."""

import uuid
from typing import Any

from django.db import transaction
from django.db.models import prefetch_related_objects
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed
from console.catalog import access
from console.catalog.models import Alias, Capability, ModelVersion, Pin, PinMove, Price, Provider
from console.catalog.queries import teams_shown
from console.catalog.services import aliases, connection, pins, providers, versions
from console.core.errors import NotFound
from console.teams import access as teams_access
from console.teams.access import OPERATOR
from console.teams.models import Environment


class ProviderSerializer(serializers.ModelSerializer[Provider]):
    class Meta:
        model = Provider
        fields = [
            "id", "slug", "name", "kind", "base_url", "has_secret", "is_builtin", "is_enabled", "first_byte_seconds",
            "total_seconds", "created_at",
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


class ProviderChangeSerializer(Strict):
    name = serializers.CharField(max_length=120, required=False)
    kind = serializers.CharField(max_length=30, required=False, help_text="Not while a pin means one of its models.")
    base_url = serializers.CharField(max_length=500, required=False, help_text="Another host takes the secret away.")
    secret = serializers.CharField(required=False, allow_blank=True, max_length=2000, help_text="Empty removes it.")
    first_byte_seconds = serializers.IntegerField(required=False, allow_null=True)
    total_seconds = serializers.IntegerField(required=False, allow_null=True)
    is_enabled = serializers.BooleanField(required=False)


class TestSerializer(serializers.Serializer[Any]):
    is_ok = serializers.BooleanField()
    sentence = serializers.CharField()
    took_us = serializers.IntegerField()
    models = serializers.ListField(child=serializers.CharField())
    missing = serializers.ListField(child=serializers.CharField(), help_text="Known here, not named by the provider.")


class PriceSerializer(serializers.ModelSerializer[Price]):
    class Meta:
        model = Price
        fields = ["id", "effective_from", "input", "cached_input", "output"]


class NewPriceSerializer(Strict):
    input = serializers.DecimalField(12, 6, help_text="Currency units per million tokens.")
    output = serializers.DecimalField(12, 6)
    cached_input = serializers.DecimalField(12, 6, default=None, allow_null=True)
    effective_from = serializers.DateTimeField(default=None, allow_null=True)


class ModelSerializer(serializers.ModelSerializer[ModelVersion]):
    provider = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    prices = PriceSerializer(many=True)

    class Meta:
        model = ModelVersion
        fields = [
            "id", "provider", "name", "description", "context_tokens", "max_output_tokens", "capabilities",
            "shutdown_on", "successor", "retired_at", "created_at", "prices",
        ]  # fmt: skip


class ModelChangeSerializer(Strict):
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)
    context_tokens = serializers.IntegerField(required=False)
    max_output_tokens = serializers.IntegerField(required=False)
    capabilities = serializers.MultipleChoiceField(choices=Capability.choices, required=False)
    shutdown_on = serializers.DateField(required=False, allow_null=True)
    successor = serializers.UUIDField(required=False, allow_null=True)


class NewModelSerializer(ModelChangeSerializer):
    name = serializers.CharField(max_length=200, help_text="The model's name at the provider.")


class PinSerializer(serializers.ModelSerializer[Pin]):
    model = serializers.CharField(source="model_version", help_text="provider/name")

    class Meta:
        model = Pin
        fields = ["environment", "model", "model_version", "revision", "moved_at"]


class AliasSerializer(serializers.ModelSerializer[Alias]):
    teams = serializers.SlugRelatedField("slug", many=True, read_only=True)  # type: ignore[var-annotated]
    pins = PinSerializer(many=True)

    class Meta:
        model = Alias
        fields = ["id", "name", "description", "teams", "pins", "created_at"]


class AliasChangeSerializer(Strict):
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)
    teams = serializers.ListField(child=serializers.SlugField(), required=False, help_text="Empty: for every team.")


class NewAliasSerializer(AliasChangeSerializer):
    name = serializers.CharField(max_length=100)


class MoveSerializer(Strict):
    model_version = serializers.UUIDField()
    reason = serializers.CharField(max_length=500)
    seen_revision = serializers.IntegerField(help_text="The revision you decided on; 0 for a pin that is not set yet.")


class RollBackSerializer(Strict):
    reason = serializers.CharField(max_length=500)
    seen_revision = serializers.IntegerField()


class PinMoveSerializer(serializers.ModelSerializer[PinMove]):
    from_version = serializers.CharField(allow_null=True)
    to_version = serializers.CharField()

    class Meta:
        model = PinMove
        fields = ["id", "from_version", "to_version", "reason", "moved_by_name", "moved_at"]


class Providers(Endpoint):
    needs = OPERATOR

    @extend_schema(
        operation_id="list_providers", tags=["models"], summary="List providers", responses=listed(ProviderSerializer)
    )
    def get(self, request: Any) -> Response:
        return self.page(access.providers_for(self.caller), ProviderSerializer)

    @extend_schema(
        tags=["models"],
        summary="Connect a provider",
        request=NewProviderSerializer,
        responses={201: ProviderSerializer},
    )
    def post(self, request: Any) -> Response:
        provider = providers.create_provider(actor=self.actor, **self.read(NewProviderSerializer))
        return Response(ProviderSerializer(provider).data, status=201)


class OneProvider(Endpoint):
    needs = OPERATOR

    @extend_schema(tags=["models"], summary="Show a provider", responses=ProviderSerializer)
    def get(self, request: Any, slug: str) -> Response:
        return Response(ProviderSerializer(access.provider_for(self.caller, slug)).data)

    @extend_schema(
        tags=["models"], summary="Change a provider", request=ProviderChangeSerializer, responses=ProviderSerializer
    )
    def patch(self, request: Any, slug: str) -> Response:
        provider = access.provider_for(self.caller, slug)
        given = self.read(ProviderChangeSerializer)
        enabled = given.pop("is_enabled", None)
        with transaction.atomic():
            if given:
                provider = providers.change_provider(actor=self.actor, provider=provider, **given)
            if enabled is not None:
                provider = providers.enable_provider(actor=self.actor, provider=provider, enabled=enabled)
        return Response(ProviderSerializer(provider).data)

    @extend_schema(
        tags=["models"], summary="Remove a provider and its models, if no pin ever meant one", responses={204: None}
    )
    def delete(self, request: Any, slug: str) -> Response:
        providers.delete_provider(actor=self.actor, provider=access.provider_for(self.caller, slug))
        return Response(status=204)


class ProviderTest(Endpoint):
    needs = OPERATOR

    @extend_schema(
        tags=["models"], summary="Call the provider and list its models", request=None, responses=TestSerializer
    )
    def post(self, request: Any, slug: str) -> Response:
        outcome = connection.check_connection(actor=self.actor, provider=access.provider_for(self.caller, slug))
        return Response(TestSerializer(outcome).data)


class ProviderModels(Endpoint):
    needs = OPERATOR

    @extend_schema(
        tags=["models"], summary="Add a model version", request=NewModelSerializer, responses={201: ModelSerializer}
    )
    def post(self, request: Any, slug: str) -> Response:
        provider = access.provider_for(self.caller, slug)
        given = _fields(self, self.read(NewModelSerializer))
        return Response(
            ModelSerializer(versions.create_version(actor=self.actor, provider=provider, **given)).data, status=201
        )


def _fields(view: Endpoint, given: dict[str, Any]) -> dict[str, Any]:
    if "capabilities" in given:
        given["capabilities"] = versions.in_order(list(given["capabilities"]))
    if given.get("successor"):
        given["successor"] = access.version_for(view.caller, given["successor"])
    return given


class Models(Endpoint):
    needs = "view_team"

    @extend_schema(
        operation_id="list_models", tags=["models"], summary="List model versions", responses=listed(ModelSerializer)
    )
    def get(self, request: Any) -> Response:
        rows = access.versions_for(self.caller).select_related("provider").prefetch_related("prices")
        return self.page(rows, ModelSerializer)


class OneModel(Endpoint):
    needs, needs_to = "view_team", {"PATCH": OPERATOR}

    @extend_schema(tags=["models"], summary="Show a model version", responses=ModelSerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return Response(ModelSerializer(access.version_for(self.caller, pk)).data)

    @extend_schema(
        tags=["models"],
        summary="Change a model version's limits",
        request=ModelChangeSerializer,
        responses=ModelSerializer,
    )
    def patch(self, request: Any, pk: uuid.UUID) -> Response:
        version = access.version_for(self.caller, pk)
        given = _fields(self, self.read(ModelChangeSerializer))
        return Response(ModelSerializer(versions.change_version(actor=self.actor, version=version, **given)).data)


class Retirement(Endpoint):
    needs = OPERATOR

    @extend_schema(
        tags=["models"], summary="Retire a model version no pin uses", request=None, responses=ModelSerializer
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        version = versions.retire_version(actor=self.actor, version=access.version_for(self.caller, pk))
        return Response(ModelSerializer(version).data)


class Prices(Endpoint):
    needs, needs_to = "view_team", {"POST": OPERATOR}

    @extend_schema(
        operation_id="list_prices",
        tags=["models"],
        summary="List what a model version costs and did",
        responses=listed(PriceSerializer),
    )
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return self.page(Price.objects.filter(model_version=access.version_for(self.caller, pk)), PriceSerializer)

    @extend_schema(
        tags=["models"],
        summary="Set a price from a date on",
        request=NewPriceSerializer,
        responses={201: PriceSerializer},
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        version = access.version_for(self.caller, pk)
        price = versions.set_price(actor=self.actor, version=version, **self.read(NewPriceSerializer))
        return Response(PriceSerializer(price).data, status=201)


def _alias(view: Endpoint, name: str) -> Alias:
    """Return the alias; the database cannot even be asked for a name with NUL in it."""
    if "\x00" in name:
        raise NotFound("There is no such alias.")
    return access.alias_for(view.caller, name)


def _environment(environment: str) -> str:
    if environment not in Environment.values:
        raise NotFound(f"{environment[:40]!r} is not an environment; they are {' and '.join(Environment.values)}.")
    return environment


class Aliases(Endpoint):
    needs, needs_to = "view_team", {"POST": OPERATOR}

    @extend_schema(
        operation_id="list_aliases",
        tags=["models"],
        summary="List aliases with their pins",
        responses=listed(AliasSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.aliases_for(self.caller).prefetch_related(
            teams_shown(self.caller), "pins__model_version__provider"
        )
        return self.page(rows, AliasSerializer)

    @extend_schema(
        tags=["models"], summary="Create an alias", request=NewAliasSerializer, responses={201: AliasSerializer}
    )
    def post(self, request: Any) -> Response:
        given = _teams(self, self.read(NewAliasSerializer))
        return Response(AliasSerializer(aliases.create_alias(actor=self.actor, **given)).data, status=201)


def _teams(view: Endpoint, given: dict[str, Any]) -> dict[str, Any]:
    if "teams" in given:
        given["teams"] = [teams_access.team_for(view.caller, slug) for slug in given["teams"]]
    return given


class OneAlias(Endpoint):
    needs, needs_to = "view_team", {"PATCH": OPERATOR, "DELETE": OPERATOR}

    @extend_schema(tags=["models"], summary="Show an alias with its pins", responses=AliasSerializer)
    def get(self, request: Any, name: str) -> Response:
        alias = _alias(self, name)
        prefetch_related_objects([alias], teams_shown(self.caller), "pins__model_version__provider")
        return Response(AliasSerializer(alias).data)

    @extend_schema(tags=["models"], summary="Change an alias", request=AliasChangeSerializer, responses=AliasSerializer)
    def patch(self, request: Any, name: str) -> Response:
        alias = _alias(self, name)
        given = _teams(self, self.read(AliasChangeSerializer))
        return Response(AliasSerializer(aliases.change_alias(actor=self.actor, alias=alias, **given)).data)

    @extend_schema(tags=["models"], summary="Delete an alias nothing uses", responses={204: None})
    def delete(self, request: Any, name: str) -> Response:
        aliases.delete_alias(actor=self.actor, alias=_alias(self, name))
        return Response(status=204)


class PinMoves(Endpoint):
    needs = "view_team"

    @extend_schema(
        operation_id="list_pin_moves",
        tags=["models"],
        summary="List the moves of a pin",
        responses=listed(PinMoveSerializer),
    )
    def get(self, request: Any, name: str, environment: str) -> Response:
        alias = _alias(self, name)
        rows = PinMove.objects.filter(pin__alias=alias, pin__environment=_environment(environment))
        return self.page(rows.select_related("from_version__provider", "to_version__provider"), PinMoveSerializer)


class OnePin(Endpoint):
    needs = OPERATOR

    @extend_schema(tags=["models"], summary="Move a pin", request=MoveSerializer, responses=PinSerializer)
    def put(self, request: Any, name: str, environment: str) -> Response:
        alias = _alias(self, name)
        given = self.read(MoveSerializer)
        to = access.version_for(self.caller, given.pop("model_version"))
        return Response(
            PinSerializer(
                pins.move_pin(actor=self.actor, alias=alias, environment=_environment(environment), to=to, **given)
            ).data
        )


class RollBack(Endpoint):
    needs = OPERATOR

    @extend_schema(
        tags=["models"],
        summary="Roll a pin back to the version before",
        request=RollBackSerializer,
        responses=PinSerializer,
    )
    def post(self, request: Any, name: str, environment: str) -> Response:
        alias = _alias(self, name)
        pin = Pin.objects.filter(alias=alias, environment=_environment(environment)).first()
        if pin is None:
            raise NotFound(f"{alias} is not pinned in {environment}.")
        return Response(
            PinSerializer(pins.roll_back_pin(actor=self.actor, pin=pin, **self.read(RollBackSerializer))).data
        )


urlpatterns = [
    path("providers/", Providers.as_view(), name="providers"),
    path("providers/<slug:slug>/", OneProvider.as_view(), name="provider"),
    path("providers/<slug:slug>/test/", ProviderTest.as_view(), name="test_provider"),
    path("providers/<slug:slug>/models/", ProviderModels.as_view(), name="provider_models"),
    path("models/", Models.as_view(), name="models"),
    path("models/<uuid:pk>/", OneModel.as_view(), name="model"),
    path("models/<uuid:pk>/retire/", Retirement.as_view(), name="retire_model"),
    path("models/<uuid:pk>/prices/", Prices.as_view(), name="prices"),
    path("aliases/", Aliases.as_view(), name="aliases"),
    path("aliases/<str:name>/", OneAlias.as_view(), name="alias"),
    path("aliases/<str:name>/pins/<str:environment>/", OnePin.as_view(), name="pin"),
    path("aliases/<str:name>/pins/<str:environment>/roll-back/", RollBack.as_view(), name="roll_back"),
    path("aliases/<str:name>/pins/<str:environment>/moves/", PinMoves.as_view(), name="pin_moves"),
]
