"""The permission of every API route, as its view declares it with `needs`, for all methods or by method."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from console.api.authentication import caller_of
from console.core.errors import NotAllowed, NotSignedIn
from console.teams.access import OPERATOR, PUBLIC, SIGNED_IN, denied


class DeclaredPermission(BasePermission):
    """Let in whom the view's `needs`, or by method `needs_to`, describes. What they reach is up to access.py."""

    def has_permission(self, request: Request, view: Any) -> bool:
        needs: str = getattr(view, "needs_to", {}).get(request.method, view.needs)
        caller = caller_of(request)
        if needs != PUBLIC and caller.is_anonymous:
            raise NotSignedIn(
                "Send an API key as `Authorization: Bearer <key>`, or sign in.",
                headers={"WWW-Authenticate": 'Bearer realm="api"'},
            )
        if needs == OPERATOR and not caller.is_operator:
            raise NotAllowed("Only operators of this installation can do that.")
        if needs not in {PUBLIC, SIGNED_IN, OPERATOR} and not caller.may(needs):
            raise denied(None, caller, needs)
        return True
