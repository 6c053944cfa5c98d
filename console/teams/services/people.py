"""The people of the installation: create, disable, enable, make an operator."""

from allauth.usersessions.models import UserSession
from django.db import IntegrityError, transaction

from console.audit import actions
from console.audit.services import changes, record, take_turn
from console.core.errors import BadInput, Conflict
from console.core.races import hold
from console.teams.actors import Actor
from console.teams.models import User


@transaction.atomic
def create_person(
    *, actor: Actor, email: str, name: str = "", password: str | None = None, is_operator: bool = False
) -> User:
    """Create an account. Without a password the person comes in by a link, a passkey or single sign-on."""
    email = email.strip().lower()
    taken = Conflict(f"There is an account for {email} already.", param="email")
    if User.objects.filter(email__iexact=email).exists():
        raise taken
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name.strip(), is_superuser=is_operator)
    except IntegrityError:  # an invitation opened twice, and both sent at the same moment
        raise taken from None
    record(
        actions.USER_CREATED,
        actor=actor,
        target=user,
        target_name=email,
        detail={"after": {"name": user.name, "is_operator": is_operator}},
    )
    return user


def _end_sessions(user: User) -> None:
    for session in UserSession.objects.filter(user=user):
        session.end()


def _hold(user: User) -> None:
    """Let nobody else change who is an operator meanwhile, and read again whether this person is one."""
    held = hold(user)
    take_turn()
    user.is_active, user.is_superuser = held.is_active, held.is_superuser


def _keep_an_operator(user: User) -> None:
    operators = set(User.objects.filter(is_superuser=True, is_active=True).values_list("pk", flat=True))
    if operators == {user.pk}:
        raise BadInput(f"{user} is the only operator; make somebody else an operator first.")


@transaction.atomic
def disable_person(*, actor: Actor, user: User) -> User:
    """Close an account: sessions end, and the person's keys stop with the next call."""
    if actor.id == user.pk:
        raise BadInput("You cannot disable your own account; ask another operator.")
    _hold(user)
    _keep_an_operator(user)
    if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        raise Conflict(f"{user} is disabled already.")
    user.is_active = False
    _end_sessions(user)
    record(actions.USER_DISABLED, actor=actor, target=user, target_name=user.email)
    return user


@transaction.atomic
def enable_person(*, actor: Actor, user: User) -> User:
    """Open a closed account again, with the memberships and keys it had."""
    if not User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        raise Conflict(f"{user} is not disabled.")
    user.is_active = True
    record(actions.USER_ENABLED, actor=actor, target=user, target_name=user.email)
    return user


@transaction.atomic
def set_operator(*, actor: Actor, user: User, is_operator: bool) -> User:
    """Let a person run the installation, or no longer. They sign in again, so that no session changes its rights."""
    _hold(user)
    before = user.is_superuser
    if before == is_operator:
        return user
    if not is_operator:
        _keep_an_operator(user)
    user.is_superuser = is_operator
    user.save(update_fields=["is_superuser"])
    if actor.id != user.pk:
        _end_sessions(user)
    record(
        actions.USER_CHANGED,
        actor=actor,
        target=user,
        target_name=user.email,
        detail=changes({"is_operator": before}, {"is_operator": is_operator}),
    )
    return user


@transaction.atomic
def rename_person(*, actor: Actor, user: User, name: str) -> User:
    name = name.strip()
    if not name or len(name) > 120:
        raise BadInput("Write a name of up to 120 characters.", param="name")
    before, user.name = hold(user).name, name
    user.save(update_fields=["name"])
    record(
        actions.USER_CHANGED,
        actor=actor,
        target=user,
        target_name=user.email,
        detail=changes({"name": before}, {"name": name}),
    )
    return user
