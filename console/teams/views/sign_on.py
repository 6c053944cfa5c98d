"""allauth's pages of single sign-on, for a provider that is away or says what nobody can use."""

from collections.abc import Callable

from allauth.account.internal.decorators import login_not_required
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers.openid_connect import views
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest, HttpResponse

_Page = Callable[[HttpRequest, str], HttpResponse]


def _with_an_error_page(page: _Page) -> _Page:
    def inner(request: HttpRequest, provider_id: str) -> HttpResponse:
        try:
            return page(request, provider_id)
        except (OSError, KeyError) as error:  # no answer of use, or one without an address or a claim it must have
            provider = OpenIDConnectOAuth2Adapter(request, provider_id).get_provider()
            answer: HttpResponse = render_authentication_error(request, provider, exception=error)
            return answer

    guarded: _Page = login_not_required(inner)
    return guarded


login, callback = _with_an_error_page(views.login), _with_an_error_page(views.callback)
