"""Pins: move, roll back, canary, shadow, fallbacks, parameters, lane, and their history.

Every change is asked the same way: a reason, the revision it was decided on, and its own fields. It answers 200 with
the pin, or 202 with a proposal where the alias wants two people to agree.
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.db.models import prefetch_related_objects
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed
from console.api.manage.catalog.proposals import ProposalSerializer
from console.api.manage.catalog.shared import alias_for, environment_of
from console.catalog import access
from console.catalog.models import Pin, PinFallback, PinMove, PinProposal, Trouble
from console.catalog.services import pins
from console.core.lanes import Lane
from console.teams.access import OPERATOR

# What an alias is prefetched with to be shown with its pins.
PINS = ("pins__model_version__provider", "pins__fallbacks__model_version__provider")


class FallbackSerializer(serializers.ModelSerializer[PinFallback]):
    model = serializers.CharField(source="model_version", help_text="provider/name")

    class Meta:
        model = PinFallback
        fields = ["model", "model_version", "on", "tries"]


class PinSerializer(serializers.ModelSerializer[Pin]):
    model = serializers.CharField(source="model_version", help_text="provider/name")
    fallbacks = FallbackSerializer(many=True, help_text="Tried in this order.")

    class Meta:
        model = Pin
        fields = [
            "environment", "model", "model_version", "default_parameters", "max_parameters", "canary_version",
            "canary_percent", "canary_since", "shadow_version", "shadow_percent", "fallbacks", "lane", "revision",
            "moved_at",
        ]  # fmt: skip


class PinMoveSerializer(serializers.ModelSerializer[PinMove]):
    from_version = serializers.CharField(allow_null=True)
    to_version = serializers.CharField()
    said = serializers.CharField(help_text="What changed, in words.")

    class Meta:
        model = PinMove
        fields = [
            "id", "change", "from_version", "to_version", "before", "after", "said", "reason", "moved_by_name",
            "agreed_by_name", "moved_at",
        ]  # fmt: skip


class ChangeSerializer(Strict):
    reason = serializers.CharField(max_length=500)
    seen_revision = serializers.IntegerField(help_text="The revision you decided on; 0 for a pin that is not set yet.")


class MoveSerializer(ChangeSerializer):
    model_version = serializers.UUIDField()


class ShareSerializer(ChangeSerializer):
    model_version = serializers.UUIDField()
    percent = serializers.IntegerField(min_value=1, max_value=100)


class ShadowSerializer(ChangeSerializer):
    model_version = serializers.UUIDField(allow_null=True, help_text="null: copy nothing.")
    percent = serializers.IntegerField(min_value=0, max_value=100, default=0)


class FallbackStepSerializer(Strict):
    model_version = serializers.UUIDField()
    on = serializers.ListField(
        child=serializers.ChoiceField(choices=Trouble.choices), default=lambda: list(Trouble.values)
    )
    tries = serializers.IntegerField(default=1, min_value=1, max_value=pins.MOST_TRIES)


class ChainSerializer(ChangeSerializer):
    fallbacks = FallbackStepSerializer(many=True, help_text="In the order they are tried; empty: none.")


class ParametersSerializer(ChangeSerializer):
    default_parameters = serializers.DictField(default=dict, help_text="Sent unless the call says otherwise.")
    max_parameters = serializers.DictField(default=dict, help_text="The most a call may ask for.")


class LaneSerializer(ChangeSerializer):
    lane = serializers.ChoiceField(choices=Lane.choices, allow_blank=True, help_text="Empty: as the caller may.")


class PinMoves(Endpoint):
    needs = "view_team"

    @extend_schema(
        operation_id="list_pin_moves",
        summary="List the changes of a pin",
        responses=listed(PinMoveSerializer),
    )
    def get(self, request: Any, name: str, environment: str) -> Response:
        alias = alias_for(self, name)
        rows = PinMove.objects.filter(pin__alias=alias, pin__environment=environment_of(environment))
        return self.page(rows.select_related("from_version__provider", "to_version__provider"), PinMoveSerializer)


class PinEndpoint(Endpoint):
    """One change of a pin. Subclasses say what is asked and which verb that is."""

    needs = OPERATOR
    body: ClassVar[type[ChangeSerializer]]

    def verb(self, body: dict[str, Any]) -> pins.Verb:
        raise NotImplementedError

    def change(self, name: str, environment: str) -> Response:
        alias, body = alias_for(self, name), self.read(self.body)
        outcome = pins.ask_for_change(
            actor=self.actor,
            alias=alias,
            environment=environment_of(environment),
            reason=body.pop("reason"),
            seen_revision=body.pop("seen_revision"),
            verb=self.verb(body),
        )
        if isinstance(outcome, PinProposal):
            return Response(ProposalSerializer(outcome).data, status=202)
        prefetch_related_objects([outcome], "fallbacks__model_version__provider")
        return Response(PinSerializer(outcome).data)


F = TypeVar("F", bound=Callable[..., Any])


def _documented(summary: str, body: type[ChangeSerializer]) -> Callable[[F], F]:
    responses = {200: PinSerializer, 202: ProposalSerializer}
    decorate: Callable[[F], F] = extend_schema(summary=summary, request=body, responses=responses)
    return decorate


class OnePin(PinEndpoint):
    body = MoveSerializer

    def verb(self, body: dict[str, Any]) -> pins.Verb:
        return pins.Move(access.version_for(self.caller, body["model_version"]))

    @_documented("Move a pin", MoveSerializer)
    def put(self, request: Any, name: str, environment: str) -> Response:
        return self.change(name, environment)


class RollBack(PinEndpoint):
    body = ChangeSerializer

    def verb(self, body: dict[str, Any]) -> pins.Verb:
        return pins.RollBack()

    @_documented("Roll a pin back to the version before", ChangeSerializer)
    def post(self, request: Any, name: str, environment: str) -> Response:
        return self.change(name, environment)


class CanaryShare(PinEndpoint):
    body = ShareSerializer

    def verb(self, body: dict[str, Any]) -> pins.Verb:
        return pins.SetCanary(access.version_for(self.caller, body["model_version"]), body["percent"])

    @_documented("Give a share of the callers another version", ShareSerializer)
    def put(self, request: Any, name: str, environment: str) -> Response:
        return self.change(name, environment)


class CanaryPromotion(PinEndpoint):
    body = ChangeSerializer

    def verb(self, body: dict[str, Any]) -> pins.Verb:
        return pins.PromoteCanary()

    @_documented("Promote the canary: everybody gets its version", ChangeSerializer)
    def post(self, request: Any, name: str, environment: str) -> Response:
        return self.change(name, environment)


class CanaryEnd(PinEndpoint):
    body = ChangeSerializer

    def verb(self, body: dict[str, Any]) -> pins.Verb:
        return pins.EndCanary()

    @_documented("End the canary: everybody gets the pinned version", ChangeSerializer)
    def post(self, request: Any, name: str, environment: str) -> Response:
        return self.change(name, environment)


class Shadow(PinEndpoint):
    body = ShadowSerializer

    def verb(self, body: dict[str, Any]) -> pins.Verb:
        chosen = body["model_version"]
        return pins.SetShadow(access.version_for(self.caller, chosen) if chosen else None, body["percent"])

    @_documented("Copy a share of the calls to another version", ShadowSerializer)
    def put(self, request: Any, name: str, environment: str) -> Response:
        return self.change(name, environment)


class Fallbacks(PinEndpoint):
    body = ChainSerializer

    def verb(self, body: dict[str, Any]) -> pins.Verb:
        return pins.SetFallbacks(
            tuple(
                pins.Step(access.version_for(self.caller, s["model_version"]), tuple(s["on"]), s["tries"])
                for s in body["fallbacks"]
            )
        )

    @_documented("Say what is tried when the pinned version does not answer", ChainSerializer)
    def put(self, request: Any, name: str, environment: str) -> Response:
        return self.change(name, environment)


class Parameters(PinEndpoint):
    body = ParametersSerializer

    def verb(self, body: dict[str, Any]) -> pins.Verb:
        return pins.SetParameters(body["default_parameters"], body["max_parameters"])

    @_documented("Set default and most of a call's parameters", ParametersSerializer)
    def put(self, request: Any, name: str, environment: str) -> Response:
        return self.change(name, environment)


class PinLane(PinEndpoint):
    body = LaneSerializer

    def verb(self, body: dict[str, Any]) -> pins.Verb:
        return pins.SetLane(body["lane"])

    @_documented("Set the fastest lane of an alias", LaneSerializer)
    def put(self, request: Any, name: str, environment: str) -> Response:
        return self.change(name, environment)


_PIN = "aliases/<str:name>/pins/<str:environment>/"
urlpatterns = [
    path(_PIN, OnePin.as_view(), name="pin"),
    path(f"{_PIN}roll-back/", RollBack.as_view(), name="roll_back"),
    path(f"{_PIN}canary/", CanaryShare.as_view(), name="set_canary"),
    path(f"{_PIN}canary/promote/", CanaryPromotion.as_view(), name="promote_canary"),
    path(f"{_PIN}canary/end/", CanaryEnd.as_view(), name="end_canary"),
    path(f"{_PIN}shadow/", Shadow.as_view(), name="set_shadow"),
    path(f"{_PIN}fallbacks/", Fallbacks.as_view(), name="set_fallbacks"),
    path(f"{_PIN}parameters/", Parameters.as_view(), name="set_parameters"),
    path(f"{_PIN}lane/", PinLane.as_view(), name="set_lane"),
    path(f"{_PIN}moves/", PinMoves.as_view(), name="pin_moves"),
]
