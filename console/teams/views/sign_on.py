"""allauth's pages of single sign-on, for a provider that is unavailable or sends something unusable."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode

from allauth.account.internal.decorators import login_not_required
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers.oauth2.client import OAuth2Client
from allauth.socialaccount.providers.openid_connect import views
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from console.teams.single_sign_on import Unusable, new_nonce

_Page = Callable[[HttpRequest, str], HttpResponse]
# What allauth runs into where a provider does not answer, or says something else than the protocol has there.
_UNUSABLE = (
    OSError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
    DataError,
    SuspiciousOperation,
)
_TOO_LONG = Unusable(
    "The identity provider names a person by an id of more than 191 letters, the most that is taken here."
)


def _with_an_error_page(page: _Page) -> _Page:
    def inner(request: HttpRequest, provider_id: str) -> HttpResponse:
        try:
            return page(request, provider_id)
        except ImproperlyConfigured as error:
            return _error_page(request, provider_id, _TOO_LONG if "UID_MAX_LENGTH" in str(error) else error)
        except _UNUSABLE as error:
            return _error_page(request, provider_id, error)

    guarded: _Page = login_not_required(inner)
    return guarded


def _error_page(request: HttpRequest, provider_id: str, error: Exception) -> HttpResponse:
    provider = OpenIDConnectOAuth2Adapter(request, provider_id).get_provider()
    answer: HttpResponse = render_authentication_error(request, provider, exception=error)
    return answer


def _leave(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Lead to the provider by a page that continues by itself.

    A form may be sent to this host only, and browsers hold its redirects to that, too, all of them: the provider's own,
    to wherever it has people sign in, which nobody could list. What a page continues to is no answer to a form.

    Nobody's link may say what to ask the provider for: allauth takes more scopes, and parameters, from the address.
    That is also how the nonce gets there, of which allauth knows nothing.
    """
    asked = request.GET.copy()
    for name in ("scope", "auth_params"):
        asked.pop(name, None)
    if request.method == "POST":  # until then it is only a page that asks
        asked["auth_params"] = urlencode({"nonce": new_nonce(request)})
    request.GET = asked  # type: ignore[assignment]
    answer: HttpResponse = views.login(request, provider_id)
    if not isinstance(answer, HttpResponseRedirect):
        return answer
    name = OpenIDConnectOAuth2Adapter(request, provider_id).get_provider().name
    page = render(request, "socialaccount/leave.html", {"name": name, "url": answer.url})
    page["Refresh"], page["Cache-Control"] = f"0; url={answer.url}", "no-store"
    return page


class _Client(OAuth2Client):  # type: ignore[misc]
    """Sends name and secret in a header as OAuth asks for (RFC 6749, 2.3.1): encoded, so that any letter arrives."""

    def __init__(self, request: HttpRequest, name: str, secret: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, name, secret, *args, **kwargs)
        self.for_header = (quote_plus(name), quote_plus(secret))

    def get_access_token(self, *args: Any, **kwargs: Any) -> Any:
        if self.basic_auth:
            self.consumer_key, self.consumer_secret = self.for_header
        return super().get_access_token(*args, **kwargs)


def _come_back(adapter: OpenIDConnectOAuth2Adapter, request: HttpRequest, app: object) -> str:
    """Return where the provider sends people back: as it is registered there, whatever host a proxy says was asked."""
    return settings.BASE_URL + reverse("openid_connect_callback", args=[adapter.provider_id])


OpenIDConnectOAuth2Adapter.client_class, OpenIDConnectOAuth2Adapter.get_callback_url = _Client, _come_back

login, callback = _with_an_error_page(_leave), _with_an_error_page(views.callback)
