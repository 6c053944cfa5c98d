"""Invitation links and one-time sign-in links. Opening one changes nothing; its form does."""

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.account.models import Login
from allauth.account.views import password_set
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from console.core.errors import NotFound, Refusal
from console.core.forms import posted, refuse
from console.core.htmx import go
from console.teams.access import PUBLIC, SIGNED_IN, needs
from console.teams.actors import Actor
from console.teams.callers import TeamRequest
from console.teams.forms.teams import JoinForm
from console.teams.models import User
from console.teams.services import invitations
from console.teams.services.sign_in import find_sign_in_link, use_sign_in_link


def _private(response: HttpResponse) -> HttpResponse:
    """The address holds a secret: keep it out of caches and out of the Referer of the next request.

    With `no-referrer` browsers would send the form with `Origin: null`, which the CSRF check rightly refuses; so the
    host is told, never the path.
    """
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "strict-origin"
    return response


def _gone_page(request: HttpRequest, message: str) -> HttpResponse:
    return _private(render(request, "teams/gone.html", {"message": message}, status=404))


def _sign_in(request: TeamRequest, user: User, how: str, url: str, *, reauthenticated: bool = False) -> HttpResponse:
    """Sign in the way the sign-in page does: with a new session id, and a second factor where there is one."""
    if request.user.is_authenticated:
        get_adapter().logout(request)
    record_authentication(request, user, method=how, reauthenticated=reauthenticated or None)
    response: HttpResponse = perform_login(request, Login(user=user, redirect_url=url))
    return _private(response)


def _actor(request: TeamRequest) -> Actor:
    return Actor("anonymous", None, "Nobody", request.client_address, request.request_id)


@needs(PUBLIC)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: TeamRequest, token: str) -> HttpResponse:
    try:
        if request.method == "POST":
            user = use_sign_in_link(token=token)
            if _can_come_again(user):
                return _sign_in(request, user, "sign_in_link", reverse(settings.LOGIN_REDIRECT_URL))
            # The link is all they have to confirm it is them with, and for that they have just used it.
            return _sign_in(request, user, "sign_in_link", reverse("teams:secure_account"), reauthenticated=True)
        link = find_sign_in_link(token)
    except NotFound as refusal:
        return _gone_page(request, refusal.message)
    return _private(render(request, "teams/sign_in_link.html", {"person": link.user}))


def _can_come_again(user: User) -> bool:
    return user.has_usable_password() or Authenticator.objects.filter(user=user).exists()


@needs(SIGNED_IN)
@require_GET
def secure_account(request: TeamRequest) -> HttpResponse:
    """Suggest a password or a passkey to somebody who came in by a link."""
    return render(request, "teams/secure_account.html")


def set_password(request: TeamRequest) -> HttpResponse:
    """Let somebody set a first password who has just confirmed it is them.

    A form that comes too late is not kept until they have, as others are: the session would hold the password.
    """
    if request.method == "POST" and is_reauthentication_required(request, app="console.teams"):
        messages.warning(request, "Confirm once more that it is you, and type the new password again.")
        return redirect(request.path)
    response: HttpResponse = reauthentication_required(password_set)(request)
    return response


@needs(PUBLIC)
@require_http_methods(["GET", "HEAD", "POST"])
def accept_invitation(request: TeamRequest, token: str) -> HttpResponse:
    user = request.caller.user
    try:
        invitation = invitations.find_invitation(token)
    except NotFound as refusal:
        # Single sign-on accepts it at once and comes back here; so does whoever opens the mail again.
        if user is not None and (team := invitations.team_joined(token, user)):
            return _private(redirect("teams:team", team.slug))
        return _gone_page(request, refusal.message)
    is_theirs = user is not None and user.email.lower() == invitation.email.lower()
    has_account = User.objects.filter(email__iexact=invitation.email).exists()
    form = JoinForm(posted(request), email=invitation.email)
    if request.method == "POST" and (is_theirs or user is None):
        try:
            if user is not None:
                invitations.accept_invitation(actor=request.caller.actor, invitation=invitation, user=user)
                team_url = reverse("teams:team", args=[invitation.team.slug])
                return _private(go(request, team_url, f"Welcome to {invitation.team.name}."))
            if not has_account and form.is_valid():
                user = invitations.join_with_new_account(
                    actor=_actor(request), invitation=invitation, **form.cleaned_data
                )
                return _sign_in(request, user, "invitation", reverse("teams:team", args=[invitation.team.slug]))
        except NotFound as refusal:
            return _gone_page(request, refusal.message)
        except Refusal as refusal:
            refuse(form, refusal)
    context = {
        "invitation": invitation,
        "form": form,
        "is_theirs": is_theirs,
        "has_account": has_account,
        "sign_in_url": f"{reverse('account_login')}?next={request.path}",
        "sso_url": _sso_url(request.path),
        "sso_name": settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["name"] if _sso_url("") else "",
    }
    return _private(render(request, "teams/invitation.html", context, status=422 if form.errors else 200))


def _sso_url(then: str) -> str:
    if not settings.SOCIALACCOUNT_PROVIDERS:
        return ""
    return f"{reverse('openid_connect_login', args=['oidc'])}?next={then}"
