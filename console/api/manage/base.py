"""What all views of the management API share."""

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, ClassVar, TypeVar

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.response import Response
from rest_framework.views import APIView

from console.api.authentication import caller_of
from console.api.manage.once import once
from console.api.pagination import page_of
from console.core.clock import now
from console.core.errors import BadInput, NotAllowed
from console.evals.services.callers import check_caller
from console.gateway.identity import PersonIdentity, StartedByKey
from console.gateway.refusals import Identify
from console.teams.access import scope_for
from console.teams.actors import Actor
from console.teams.callers import Caller
from console.teams.models import ApiKey, Environment, Team

_Row = TypeVar("_Row", bound=Model)
_TRUE, _FALSE = {"true", "1", "yes"}, {"", "false", "0", "no"}


class Strict(serializers.Serializer[Any]):
    """A body with exactly these fields: another one is refused by name, a word there is not with those there are."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        for field in fields.values():
            _list_choices(field)
        return fields

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            raise BadInput(
                f"{unknown[0][:60]!r} is not a field here; known are {', '.join(self.fields)}.", param=unknown[0][:60]
            )
        return super().to_internal_value(data)


def _list_choices(field: Any) -> None:
    """Have the refusal of a word say which there are."""
    field = getattr(field, "child", field)
    if isinstance(field, serializers.ChoiceField):
        choices = ", ".join(str(choice) for choice in field.choices if choice != "")
        field.error_messages["invalid_choice"] = f"{{input!r}} is not one of {choices}."


def seen_revision() -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False,
        help_text="The revision you decided on; a conflict when it has grown since. Left out: nobody asks.",
    )


class Endpoint(APIView):
    """A view whose `needs` says who may come in; `needs_to` where a method needs more."""

    needs: ClassVar[str]
    needs_to: ClassVar[dict[str, str]] = {}
    # Its POST waits for another host, so it is not one transaction and takes no Idempotency-Key; it makes nothing.
    calls_out: ClassVar[bool] = False
    # It overrides `prepare` and `discard`.
    is_prepared: ClassVar[bool] = False
    # Fields of its answers that are in no second one.
    shown_once: ClassVar[tuple[str, ...]] = ("text", "link", "secret")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "post" in cls.__dict__:
            cls.post = once(cls.__dict__["post"])  # type: ignore[attr-defined]

    def prepare(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Do what takes too long for the one transaction of a POST, which begins afterwards."""

    def discard(self) -> None:
        """Take back what was prepared: the POST comes to nothing, or was answered before."""

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)

    @property
    def actor(self) -> Actor:
        return self.caller.actor

    def ask_again(self, to: str, *, of_keys_too: bool = False) -> None:
        """Refuse a session that did not sign in again minutes ago and, where only people may do it, every key."""
        if self.caller.user is None:
            if of_keys_too:
                raise NotAllowed(f"Only a person can {to}; a key cannot.", code="person_required")
        elif is_reauthentication_required(self.request._request, app="console.teams"):
            raise NotAllowed(f"Sign in again before you {to}.", code="reauthentication_required")

    @property
    def client_address(self) -> str:
        return getattr(self.request._request, "client_address", "")

    def identify(self, team: Team, *, purpose: str, environment: str | None = None) -> Identify:
        """Return in whose name a team's call is made: a person's, or a key's as that key may call."""
        check_caller(self.actor, team, purpose=purpose)
        environment = self.environment(environment)
        if self.caller.user is not None:
            return PersonIdentity(self.caller.user.pk, team.pk, environment)
        assert self.caller.key_id is not None
        return StartedByKey(self.caller.key_id, self.client_address, now())

    def environment(self, wanted_environment: str | None) -> str:
        """Return where something is run: where it says, but a key stays in its own environment."""
        if self.caller.key_id is None:
            return wanted_environment or Environment.PRODUCTION
        key_environment = ApiKey.objects.values_list("environment", flat=True).get(pk=self.caller.key_id)
        if wanted_environment not in {None, key_environment}:
            raise NotAllowed(f"A key of {key_environment} runs nothing in {wanted_environment}.")
        return key_environment

    def asked_team(self, right: str = "view_team") -> Team | None:
        """Return the team the query names; None where it names none, NotFound and PermissionDenied as for its page."""
        return scope_for(self.caller, self.request.query_params.get("team", ""), right)

    def of_team(self, rows: QuerySet[_Row], field: str = "team") -> QuerySet[_Row]:
        """Return those of the team the query names; all of them where it names none."""
        team = self.asked_team()
        return rows.filter(**{field: team}) if team is not None else rows

    def choice(self, name: str, choices: Collection[str], default: str = "") -> str:
        """Return which of the known words the query has under `name`; BadInput lists them."""
        value = self.request.query_params.get(name) or default
        if value and value not in choices:
            raise BadInput(f"{name} must be one of {', '.join(choices)}.", param=name)
        return value

    def flag(self, name: str) -> bool:
        """Return whether the query says `name` is so; where it does not name it, it is not."""
        value = self.request.query_params.get(name, "").lower()
        if value not in _TRUE | _FALSE:
            raise BadInput(f"{name} is true or false.", param=name)
        return value in _TRUE

    def read(self, serializer: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """Return the checked body of the request."""
        checked = serializer(data=self.request.data)
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    def page(
        self,
        rows: QuerySet[Any],
        serializer: type[serializers.BaseSerializer[Any]],
        *,
        key: str = "pk",
        context: dict[str, Any] | None = None,
    ) -> Response:
        items, after = page_of(self.request, rows, key=key)
        return Response({"data": serializer(items, many=True, context=context or {}).data, "next": after})


class AnyForm(DefaultContentNegotiation):
    """For files: `?format=` chooses the file, not the renderer, and any Accept header will do."""

    def select_renderer(self, request: Any, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


@cache
def listed(serializer: type[serializers.Serializer[Any]]) -> type[serializers.Serializer[Any]]:
    """Return the serializer of a page of these, for the OpenAPI document: one for all lists of them."""
    name = serializer.__name__.removesuffix("Serializer")
    return type(
        f"{name}PageSerializer",
        (serializers.Serializer,),
        {
            "data": serializer(many=True),
            "next": serializers.CharField(allow_null=True, help_text="Cursor of the next page; null on the last."),
        },
    )
