"""allauth's adapter for single sign-on: whom an identity provider names, and who of them may sign in."""

import logging
import secrets
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError, AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render

from console.audit import actions
from console.audit.models import Status
from console.audit.services import changes, record
from console.core.hidden_characters import spelled
from console.outbound.sessions import guarded_session
from console.teams import refusals
from console.teams.actors import Actor
from console.teams.adapters import actor_for
from console.teams.models import Role, Team, User
from console.teams.services.invitations import accept_invitation, actor_of, open_invitations
from console.teams.services.teams import join

logger = logging.getLogger(__name__)
_NONCES, _MOST_NONCES = "single_sign_on_nonces", 10


class Unusable(OAuth2Error):  # type: ignore[misc]
    """The provider's answer names nobody clearly, or was made for somebody else; its page says this sentence."""

    sentence = ""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Single sign-on lets in addresses the provider has verified: of an account, invited, or (OIDC_AUTO_JOIN) any."""

    error_messages = DefaultSocialAccountAdapter.error_messages | {
        "no_password": "It is your only way in. Set a password first.",
    }

    def get_requests_session(self) -> Any:
        """Return the way to the provider: allauth's own takes proxies from the environment and follows redirects."""
        return guarded_session()

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """Say to whoever runs the console why nobody comes in; the person only sees that it did not work.

        Not of callbacks nobody asked for: anybody can make those, with any words.
        """
        was_asked = exception is not None or "state" in (extra_context or {})
        if was_asked and error != AuthError.CANCELLED:
            said = request.GET.get("error_description") or request.GET.get("error") or "no code came"
            logger.warning("Single sign-on did not work: %s", spelled(repr(exception) if exception else said)[:500])
            refusals.count_sign_in("single sign-on did not work", actor_for(request).client_address)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse whom the provider knows and we do not, and say what is missing: an invitation, a verified address."""
        if sociallogin.is_existing or sociallogin.state.get("process") == AuthProcess.CONNECT:
            return
        is_unproven = not _verified_email(sociallogin)
        if is_unproven or not self.is_open_for_signup(request, sociallogin):
            record(
                actions.SIGN_IN_FAILED,
                actor=actor_for(request),
                target_name=str(sociallogin.user.email)[:254],
                status=Status.REFUSED,
                reason=f"single sign-on: {'address not verified' if is_unproven else 'no account, no invitation'}",
            )
            page = render(request, "account/signup_closed.html", {"is_unproven": is_unproven}, status=403)
            raise ImmediateHttpResponse(page)

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """Return the account a verified address belongs to, by the address that account has proven to have.

        allauth also looks at addresses that people merely asked to change to: whoever typed a colleague's would wait
        there for the colleague's first sign-in.
        """
        email = _verified_email(sociallogin)
        user = User.objects.filter(email=email).first() if email else None
        return (user, email) if user is not None else None

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        email = _verified_email(sociallogin)
        if not email or User.objects.filter(email=email).exists():
            return False
        return bool(settings.OIDC_AUTO_JOIN) or bool(open_invitations(email))

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> Any:
        """Take what the provider says about somebody, as strictly as it was meant."""
        answers = _answers(sociallogin.account.extra_data)
        _check_subject(answers)
        _check_nonce(request, sociallogin.account.extra_data.get("id_token"))
        _forget_another_issuers(request, sociallogin.account)
        is_taken_for_verified = settings.OIDC_TRUST_EMAILS and not any("email_verified" in answer for answer in answers)
        for address in sociallogin.email_addresses:
            is_verified = _is_true(address.verified) or is_taken_for_verified
            address.verified = is_verified and not any(map(_becomes_another, answers))
        user = super().populate_user(request, sociallogin, data)
        name = data.get("name") or f"{data.get('first_name') or ''} {data.get('last_name') or ''}"
        user.name = " ".join(str(name).split())[:120]
        return user

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> Any:
        """Create the account, and make the person a member of the teams that invited the address."""
        email = _verified_email(sociallogin)
        sociallogin.user.email = email
        user = super().save_user(request, sociallogin, form)
        actor = actor_for(request, user)
        record(actions.USER_CREATED, actor=actor, target=user, target_name=email, detail={"after": {"name": user.name}})
        for invitation in open_invitations(email):
            accept_invitation(actor=actor_of(user, actor), invitation=invitation, user=user)
        _auto_join(actor, user)
        return user


def _is_true(claim: object) -> bool:
    """Return whether a claim is true. Some providers write it as text, and in Python the text "false" is true."""
    return claim is True or claim == "true"


def _answers(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [said[part] for part in ("userinfo", "id_token") if isinstance(said.get(part), dict)]


def _becomes_another(answer: dict[str, Any]) -> bool:
    """Return whether an address is plain in lower case: the Kelvin sign becomes a k, which belongs to somebody else."""
    email = answer.get("email")
    return isinstance(email, str) and not email.isascii() and email.lower().isascii()


def _check_subject(answers: list[dict[str, Any]]) -> None:
    """Refuse answers that name nobody, or one person in the token and another with the details."""
    subjects = [answer.get("sub") for answer in answers]
    if any(not isinstance(subject, str) or subject != subjects[0] for subject in subjects):
        raise Unusable("The identity provider does not say clearly whom it means.")


def new_nonce(request: HttpRequest) -> str:
    """Return what the provider puts into the token of the sign-in that begins now; this browser alone knows it."""
    nonce = secrets.token_urlsafe(24)
    request.session[_NONCES] = [*request.session.get(_NONCES, []), nonce][-_MOST_NONCES:]
    return nonce


def _check_nonce(request: HttpRequest, token: object) -> None:
    """Refuse a token that was made for another sign-in than one this browser began, or that was shown here before.

    PKCE proves the same of the code, at providers that look at it; not all do.
    """
    if isinstance(token, dict):
        begun = request.session.get(_NONCES, [])
        if token.get("nonce") not in begun:
            raise Unusable("The identity provider answered a sign-in that this browser did not begin.")
        request.session[_NONCES] = [nonce for nonce in begun if nonce != token["nonce"]]


def _issuer(account: SocialAccount) -> str:
    token = account.extra_data.get("id_token")
    return str(token.get("iss") or "") if isinstance(token, dict) else ""


def _forget_another_issuers(request: HttpRequest, account: SocialAccount) -> None:
    """End the link of whoever another issuer called by the same id, as `1`: the settings name a new provider since."""
    known = SocialAccount.objects.select_related("user").filter(provider=account.provider, uid=account.uid).first()
    if known is None or _issuer(known) in {"", _issuer(account)}:
        return
    user, detail = known.user, changes({"single_sign_on": known.provider}, {"single_sign_on": None})
    known.delete()
    record(
        actions.USER_CHANGED,
        actor=actor_for(request),
        target=user,
        target_name=user.email,
        detail=detail,
        reason="another issuer",
    )


def _verified_email(sociallogin: SocialLogin) -> str:
    return next((address.email.lower() for address in sociallogin.email_addresses if address.verified), "")


def _auto_join(actor: Actor, user: User) -> None:
    if not settings.OIDC_AUTO_JOIN or user.memberships.exists():
        return
    slug, role = team_to_join()
    team = Team.objects.filter(slug=slug, archived_at=None).first()
    if team is None:
        logger.warning(
            "OIDC_AUTO_JOIN names the team %r, which is not there: %s joined none.", slug, spelled(user.email)
        )
    else:
        join(actor=actor, team=team, user=user, role=role)


def team_to_join() -> tuple[str, str]:
    """Return the team and the role OIDC_AUTO_JOIN names; ImproperlyConfigured where there is no such role."""
    slug, _, role = settings.OIDC_AUTO_JOIN.partition(":")
    role = role or Role.MEMBER
    if role not in Role.values:
        raise ImproperlyConfigured(f"OIDC_AUTO_JOIN names the role {role!r}; choose one of {', '.join(Role.values)}.")
    return slug, role
