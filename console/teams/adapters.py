"""allauth's adapter: who may sign in, how many attempts they have, and what is recorded."""

import time
import uuid
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.signing import BadSignature
from django.forms import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme

from console.audit import actions
from console.audit.models import Status
from console.audit.services import record
from console.core import formatting
from console.core.crypto import SecretUnreadable, decrypt, encrypt, is_token
from console.core.errors import Unavailable
from console.core.mail import send_now
from console.teams import refusals
from console.teams.actors import Actor
from console.teams.forms.codes import has_app
from console.teams.middleware import SEEN, STARTED
from console.teams.models import User

DEVICE_COOKIE = "__Host-facet-device" if settings.BEHIND_TLS else f"facet-device-{settings.PORT}"
_DEVICE_SECONDS = 180 * 24 * 3600
_DEVICE_SALT = "console.teams.device"


def actor_for(request: HttpRequest, user: User | None = None) -> Actor:
    """Return the person, or the stranger, behind a request that allauth handles."""
    address, request_id = getattr(request, "client_address", ""), getattr(request, "request_id", None)
    if user is None:
        return Actor("anonymous", None, "Nobody", client_address=address, request_id=request_id)
    return Actor("user", user.pk, str(user), client_address=address, request_id=request_id)


def at_home(url: str) -> str:
    """Return an address of the console as BASE_URL has it."""
    parts = urlsplit(url)
    return settings.BASE_URL + urlunsplit(("", "", parts.path, parts.query, ""))


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The e-mail address or the password is not right.",
        "too_many_login_attempts": "Too many attempts failed. Try again in a few minutes, or sign in another way.",
        "incorrect_password": "The password is not right.",
        "incorrect_code": "The code is not right. Take the one of the newest mail.",
        "enter_current_password": "That is not your present password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody signs up by themselves; the page of an invitation makes accounts."""
        return False

    def clean_email(self, email: str) -> str:
        return str(super().clean_email(email)).lower()

    def get_client_ip(self, request: HttpRequest) -> str:
        return getattr(request, "client_address", "") or "0.0.0.0"  # noqa: S104  (unknown, not "any")

    def is_safe_url(self, url: str | None) -> bool:
        """Return whether a redirect stays here: the other names the console answers to lead to other machines."""
        here, is_secure = self.request.get_host(), self.request.is_secure()
        return url_has_allowed_host_and_scheme(url, allowed_hosts={here}, require_https=is_secure)

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """Return how somebody confirms it is them. A mailed code proves less than a password or a second factor, and is
        for those who have neither: they come by single sign-on, or came by a link.
        """
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        stronger = [method for method in methods if method["id"] != "reauthenticate_by_code"]
        named = {method["id"]: method for method in stronger}
        if key := named.get("mfa_reauthenticate:webauthn"):
            key["description"] = "Use a passkey or security key"
            if (code := named.get("mfa_reauthenticate")) and not has_app(user):
                # Codes without an app are for the day the key is lost: the key comes first.
                code["description"] = "Use a recovery code"
                stronger = [method for method in stronger if method is not code] + [code]
        return stronger or methods

    # Mails ------------------------------------------------------------------------------------------------------------

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Return where a reset leads: never to the host a stranger wrote into the request that asked for it."""
        return at_home(super().get_reset_password_from_key_url(key))

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        return at_home(super().get_email_confirmation_url(request, emailconfirmation))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        site = {"name": settings.INSTALLATION_NAME, "domain": urlsplit(settings.BASE_URL).netloc}
        lifetime = formatting.exact_duration(settings.PASSWORD_RESET_TIMEOUT)
        at = {"when": formatting.full_time(context["timestamp"])} if "timestamp" in context else {}
        told = {"current_site": site, "lifetime": lifetime, **at, **context}
        if not send_now(partial(super().send_mail, template_prefix, email, told)):
            raise Unavailable(
                "The mail could not be sent: the mail server does not take it now. Try again in a few minutes; "
                "if it happens again, tell an operator."
            )

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Tell somebody what has been done to their account. It has, whether or not the mail can be sent."""
        with suppress(Unavailable):
            super().send_notification_mail(*args, **kwargs)

    # Sign-in attempts ---------------------------------------------------------------------------------------------

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count attempts by account and network, so that a stranger elsewhere cannot use up the owner's."""
        network = refusals.network_of(self.get_client_ip(request))
        return f"{super()._get_login_attempts_cache_key(request, **credentials)}:{network}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse too many attempts. All strangers together share one more allowance for an account.

        A browser that signed in to the account before carries a signed cookie and is no stranger: guesses from a
        thousand networks make strangers wait, never the person.
        """
        login = str(credentials.get("email") or "").lower()
        try:
            super().pre_authenticate(request, **credentials)
            if not self._is_known_device(request, login):
                self._strangers_usage = ratelimit.consume(
                    request,
                    app="console.teams",
                    action="strangers",
                    config={"strangers": settings.SIGN_IN_STRANGERS_RATE},
                    key=login,
                )
                if not self._strangers_usage:
                    raise self.validation_error("too_many_login_attempts")
        except ValidationError:
            refusals.count_sign_in("throttled", self.get_client_ip(request))
            raise

    def _rollback_login_failed_rl_usage(self) -> None:
        super()._rollback_login_failed_rl_usage()
        if usage := getattr(self, "_strangers_usage", None):
            usage.rollback()

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        login = str(credentials.get("email") or "").lower()
        user = User.objects.filter(email=login).first()
        record(
            actions.SIGN_IN_FAILED,
            actor=actor_for(request),
            target=user,
            target_name=login[:254],
            status=Status.REFUSED,
            reason="wrong password" if user else "no such account",
        )

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        """Say that the account is closed; whoever comes this far has proven to be its person."""
        record(
            actions.SIGN_IN_FAILED,
            actor=actor_for(request),
            target=user,
            target_name=user.email,
            status=Status.REFUSED,
            reason="the account is disabled",
        )
        answer: HttpResponse = super().respond_user_inactive(request, user)
        return answer

    @staticmethod
    def _is_known_device(request: HttpRequest, login: str) -> bool:
        try:
            known = request.get_signed_cookie(DEVICE_COOKIE, salt=_DEVICE_SALT, max_age=_DEVICE_SECONDS)
            return User.objects.filter(pk=uuid.UUID(known), email=login).exists()
        except (KeyError, BadSignature, ValueError):
            return False

    # After sign-in ------------------------------------------------------------------------------------------------

    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        request.session[STARTED] = request.session[SEEN] = time.time()

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        response.set_signed_cookie(
            DEVICE_COOKIE,
            str(user.pk),
            salt=_DEVICE_SALT,
            max_age=_DEVICE_SECONDS,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        return response


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This code is not right, too old, or used already. Wait for the next one.",
    }

    def encrypt(self, text: str) -> str:
        """Return the seed of codes as it is stored: whoever reads it makes them."""
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        if not is_token(encrypted_text):  # of before; `reencryptsecrets` encrypts it
            return encrypted_text
        try:
            return decrypt(encrypted_text)
        except SecretUnreadable:
            raise Unavailable("This second factor cannot be read with the present ENCRYPTION_KEYS.") from None

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        """Return what a new key is called until somebody says better."""
        count = Authenticator.objects.filter(user=user, type=type).count()
        return f"Passkey {count + 1}" if count else "Passkey"
