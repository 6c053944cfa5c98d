"""Signals of allauth and Django at sign-in: record it, and end other sessions.

Facet has no signals of its own: who greps for a verb finds the whole story. Here the verbs are allauth's, inside
views we do not own, and its signals are the way it offers to hear of them. All of them are heard in this one file.
"""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.socialaccount import signals as social
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest

from console.audit import actions
from console.audit.models import Status
from console.audit.services import changes, record
from console.teams.adapters import actor_for
from console.teams.models import User


def _how(request: HttpRequest) -> list[str]:
    from allauth.account.internal.flows.login import get_authentication_records

    used = get_authentication_records(request, request.user)
    return [str(entry.get("type") or entry.get("method")) for entry in used]


def signed_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    record(
        actions.SIGNED_IN,
        actor=actor_for(request, user),
        target=user,
        target_name=user.email,
        detail={"by": _how(request)},
    )


def signed_out(request: HttpRequest | None, user: User | None, **kwargs: Any) -> None:
    if request is not None and user is not None:
        record(actions.SIGNED_OUT, actor=actor_for(request, user), target=user, target_name=user.email)


def password_changed(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """The changed hash ends the other sessions; their rows go too, so that the list of sessions is true."""
    record(actions.PASSWORD_CHANGED, actor=actor_for(request, user), target=user, target_name=user.email)
    end_other_sessions(request, user)


def two_factor_changed(request: HttpRequest, user: User, authenticator: Any, signal: Any, **kwargs: Any) -> None:
    """End the other sessions and give this one a new id: what it takes to sign in is no longer what they had."""
    verb = {mfa.authenticator_added: "added", mfa.authenticator_removed: "removed"}.get(signal, "renewed")
    record(
        actions.TWO_FACTOR_CHANGED,
        actor=actor_for(request, user),
        target=user,
        target_name=user.email,
        detail={verb: str(authenticator.type)},
    )
    if request.user.is_authenticated and request.user.pk == user.pk:
        old = request.session.session_key
        request.session.cycle_key()
        UserSession.objects.filter(session_key=old).update(session_key=request.session.session_key)
        end_other_sessions(request, user)


def _code_failed(request: HttpRequest, user: User, kind: str) -> None:
    record(
        actions.SIGN_IN_FAILED,
        actor=actor_for(request),
        target=user,
        target_name=user.email,
        status=Status.REFUSED,
        reason=f"wrong code ({kind})",
    )


def two_factor_failed(request: HttpRequest, user: User, authenticator: Any, **kwargs: Any) -> None:
    _code_failed(request, user, str(authenticator.type))


def mailed_code_failed(request: HttpRequest, user: User, **kwargs: Any) -> None:
    _code_failed(request, user, "mail")


def email_changed(
    request: HttpRequest, user: User, from_email_address: Any, to_email_address: Any, **kwargs: Any
) -> None:
    before = from_email_address.email if from_email_address else None
    record(
        actions.USER_CHANGED,
        actor=actor_for(request, user),
        target=user,
        target_name=user.email,
        detail=changes({"email": before}, {"email": to_email_address.email}),
    )


def linked(request: HttpRequest, sociallogin: Any, **kwargs: Any) -> None:
    user = sociallogin.user
    detail = changes({"single_sign_on": None}, {"single_sign_on": sociallogin.account.provider})
    record(actions.USER_CHANGED, actor=actor_for(request, user), target=user, target_name=user.email, detail=detail)


def unlinked(request: HttpRequest, socialaccount: Any, **kwargs: Any) -> None:
    user = socialaccount.user
    detail = changes({"single_sign_on": socialaccount.provider}, {"single_sign_on": None})
    record(actions.USER_CHANGED, actor=actor_for(request, user), target=user, target_name=user.email, detail=detail)


def connect() -> None:
    """Called once, when the app is ready."""
    account.user_logged_in.connect(signed_in, dispatch_uid="teams.signed_in")
    user_logged_out.connect(signed_out, dispatch_uid="teams.signed_out")
    for signal in (account.password_changed, account.password_set, account.password_reset):
        signal.connect(password_changed, dispatch_uid="teams.password_changed")
    for signal in (mfa.authenticator_added, mfa.authenticator_removed, mfa.authenticator_reset):
        signal.connect(two_factor_changed, dispatch_uid="teams.two_factor_changed")
    mfa.authentication_failed.connect(two_factor_failed, dispatch_uid="teams.two_factor_failed")
    account.login_code_rejected.connect(mailed_code_failed, dispatch_uid="teams.mailed_code_failed")
    account.email_changed.connect(email_changed, dispatch_uid="teams.email_changed")
    social.social_account_added.connect(linked, dispatch_uid="teams.linked")
    social.social_account_removed.connect(unlinked, dispatch_uid="teams.unlinked")
