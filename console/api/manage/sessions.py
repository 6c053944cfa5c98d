"""A person's own sessions: list and end them."""

from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth import logout
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, listed
from console.core.errors import NotAllowed
from console.core.formatting import browser
from console.teams import access
from console.teams.models import User
from console.teams.services.sessions import end_sessions


class SessionSerializer(serializers.ModelSerializer[UserSession]):
    browser = serializers.SerializerMethodField(help_text="As the page says it: Firefox on Linux.")
    address = serializers.CharField(source="ip", help_text="Where it signed in from.")
    is_this_one = serializers.SerializerMethodField(help_text="The session that asks.")

    class Meta:
        model = UserSession
        fields = ["id", "browser", "user_agent", "address", "created_at", "last_seen_at", "is_this_one"]

    def get_browser(self, session: UserSession) -> str:
        return browser(session.user_agent)

    def get_is_this_one(self, session: UserSession) -> bool:
        return bool(session.session_key == self.context["here"])


class _SessionEndpoint(Endpoint):
    needs = access.SIGNED_IN

    @property
    def person(self) -> User:
        """Return whose sessions they are; a key signs in nowhere."""
        if self.caller.user is None:
            raise NotAllowed("Only a person has sessions; a key has none.", code="person_required")
        return self.caller.user

    @property
    def here(self) -> str:
        return str(self.request._request.session.session_key)


class Sessions(_SessionEndpoint):
    @extend_schema(
        operation_id="list_sessions",
        summary="List where one is signed in",
        responses=listed(SessionSerializer),
    )
    def get(self, request: Any) -> Response:
        UserSession.objects.purge_and_list(self.person)
        return self.page(UserSession.objects.filter(user=self.person), SessionSerializer, context={"here": self.here})


class OtherSessions(_SessionEndpoint):
    @extend_schema(summary="End all one's other sessions", request=None, responses={204: None})
    def post(self, request: Any) -> Response:
        others = list(UserSession.objects.filter(user=self.person).exclude(session_key=self.here))
        end_sessions(actor=self.actor, user=self.person, sessions=others)
        return Response(status=204)


class OneSession(_SessionEndpoint):
    @extend_schema(summary="End one of one's sessions", responses={204: None})
    def delete(self, request: Any, session_id: int) -> Response:
        person = self.person
        session = access.session_for(self.caller, session_id)
        if session.session_key == self.here:
            logout(request._request)
        else:
            end_sessions(actor=self.actor, user=person, sessions=[session])
        return Response(status=204)


urlpatterns = [
    path("sessions/", Sessions.as_view(), name="sessions"),
    path("sessions/end-others/", OtherSessions.as_view(), name="end_other_sessions"),
    path("sessions/<int:session_id>/", OneSession.as_view(), name="session"),
]
