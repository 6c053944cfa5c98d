"""Create, change, disable and remove channels."""

import base64
import secrets
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction

from console.audit import actions
from console.audit.services import changes, record
from console.core.crypto import SecretUnreadable, decrypt, encrypt
from console.core.errors import BadInput, Conflict, check_revision
from console.core.races import count_held, hold
from console.core.signing import STANDARD_PREFIX
from console.notices.addresses import checked_emails, checked_url, origin_of
from console.notices.kinds import kinds_of
from console.notices.models import Channel
from console.teams.actors import Actor
from console.teams.models import Team

MOST_CHANNELS = 50
_LONGEST_NAME = 80
_KEY_BYTES = (24, 64)  # of a secret somebody gives, as the Standard Webhooks specification asks


class SavedChannel(NamedTuple):
    """A channel, and the secret its webhooks are signed with if that is new: to be shown this once."""

    channel: Channel
    secret: str = ""


@transaction.atomic
def create_channel(
    *,
    actor: Actor,
    team: Team | None,
    kind: str,
    name: str,
    wants: Iterable[str],
    addresses: Iterable[str] = (),
    url: str = "",
    secret: str | None = None,
) -> SavedChannel:
    """Set up a channel of a team, or of the installation. A webhook is signed with `secret`, or with one made here."""
    if kind not in Channel.Kind.values:
        raise BadInput(f"{kind!r} is not a kind of channel; choose {', '.join(Channel.Kind.values)}.", param="kind")
    if count_held(Channel.objects.filter(team=team)) >= MOST_CHANNELS:
        raise Conflict(f"There are {MOST_CHANNELS} channels already; remove one first.")
    channel = Channel(team=team, kind=kind, name=_checked_name(name), wants=_checked_wants(wants, team))
    made = _set_address(channel, addresses, url)
    if secret is not None:
        made = _take_secret(channel, secret)
    _save(channel)
    detail = {"after": _logged(channel)}
    record(actions.CHANNEL_CREATED, actor=actor, target=channel, team=team, detail=detail)
    return SavedChannel(channel, made)


@transaction.atomic
def change_channel(
    *,
    actor: Actor,
    channel: Channel,
    name: str | None = None,
    wants: Iterable[str] | None = None,
    addresses: Iterable[str] | None = None,
    url: str = "",
    renew_secret: bool = False,
    secret: str | None = None,
    seen_revision: int | None = None,
) -> SavedChannel:
    """Change what is given; without a URL the present one stays. Overtaken when it was changed since it was seen.

    A webhook at another host gets a new secret, unless whoever sends it there gives one.
    """
    channel = hold(channel, "team")
    check_revision(channel, channel.revision, seen_revision)
    before, was = _logged(channel), channel.url
    if name is not None:
        channel.name = _checked_name(name)
    if wants is not None:
        channel.wants = _checked_wants(wants, channel.team)
    made, signed_with = "", channel.secret
    if (channel.kind == Channel.Kind.EMAIL and addresses is not None) or (channel.kind != Channel.Kind.EMAIL and url):
        made = _set_address(channel, addresses or (), url)
    if secret is not None:
        channel.secret = signed_with
        made = _take_secret(channel, secret)
    elif renew_secret and channel.kind == Channel.Kind.WEBHOOK and not made:
        made = _new_secret(channel)
    after = _logged(channel)
    if channel.url != was:
        after |= {"url": "set anew"}
    if channel.secret != signed_with:
        after |= {"secret": "set anew"}
    if after != before:
        channel.revision += 1
        _save(channel)
        record(actions.CHANNEL_CHANGED, actor=actor, target=channel, team=channel.team, detail=changes(before, after))
    return SavedChannel(channel, made)


@transaction.atomic
def enable_channel(*, actor: Actor, channel: Channel, enabled: bool) -> Channel:
    """Let notices go by a channel, or by mail to those it stands in for. Whoever has an older form open is told."""
    channel = hold(channel, "team")
    if channel.is_active != enabled:
        channel.is_active, channel.revision = enabled, channel.revision + 1
        channel.save(update_fields=["is_active", "revision"])
        detail = changes({"is_active": not enabled}, {"is_active": enabled})
        record(actions.CHANNEL_CHANGED, actor=actor, target=channel, team=channel.team, detail=detail)
    return channel


@transaction.atomic
def delete_channel(*, actor: Actor, channel: Channel) -> None:
    """Remove a channel with the list of its deliveries. What was on its way by it goes nowhere."""
    channel = hold(channel, "team")
    before, identifier = _logged(channel), channel.pk
    channel.delete()
    channel.pk = identifier
    record(actions.CHANNEL_DELETED, actor=actor, target=channel, team=channel.team, detail={"before": before})


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise BadInput(f"Name the channel with 1 to {_LONGEST_NAME} characters.", param="name")
    return name


def _checked_wants(wants: Iterable[str], team: Team | None) -> list[str]:
    """Return the kinds in the order they are listed in."""
    known, wanted = kinds_of(is_of_team=team is not None), set(wants)
    if unknown := sorted(wanted - set(known)):
        whose = "A team's channel" if team is not None else "A channel"
        raise BadInput(
            f"{whose} cannot be told of {', '.join(unknown)}; choose among {', '.join(known)}.", param="wants"
        )
    if not wanted:
        raise BadInput("Choose at least one kind of alert.", param="wants")
    return [str(kind) for kind in known if kind in wanted]


def _set_address(channel: Channel, addresses: Iterable[str], url: str) -> str:
    """Set where the channel goes; return the new secret if one had to be made."""
    if channel.kind == Channel.Kind.EMAIL:
        channel.addresses = checked_emails(addresses)
        return ""
    url = checked_url(url, is_of_team=channel.team_id is not None)
    if channel.url and _is_same(channel.url, url):
        return ""
    is_elsewhere = origin_of(url) != channel.host
    channel.url, channel.host = encrypt(url), origin_of(url)
    channel.problem, channel.problem_at = "", None
    return _new_secret(channel) if channel.kind == Channel.Kind.WEBHOOK and is_elsewhere else ""


def _is_same(stored: str, url: str) -> bool:
    try:
        return decrypt(stored) == url
    except SecretUnreadable:
        return False


def _new_secret(channel: Channel) -> str:
    secret = STANDARD_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    channel.secret = encrypt(secret)
    return secret


def _take_secret(channel: Channel, secret: str) -> str:
    """Keep a secret that somebody gave: nothing is left to be shown. One that is kept already is not written again."""
    if channel.kind != Channel.Kind.WEBHOOK:
        raise BadInput("Only webhooks are signed; leave the secret out.", param="secret")
    if not _is_key(secret):
        raise BadInput(
            f"Write {STANDARD_PREFIX} and {_KEY_BYTES[0]} to {_KEY_BYTES[1]} random bytes in base64, as"
            f" `echo {STANDARD_PREFIX}$(openssl rand -base64 32)` makes them.",
            param="secret",
        )
    if not (channel.secret and _is_same(channel.secret, secret)):
        channel.secret = encrypt(secret)
    return ""


def _is_key(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except ValueError:
        return False
    return secret.startswith(STANDARD_PREFIX) and _KEY_BYTES[0] <= len(key) <= _KEY_BYTES[1]


def _save(channel: Channel) -> None:
    try:
        with transaction.atomic():
            channel.save()
    except IntegrityError:
        raise Conflict(f"There is a channel {channel.name!r} already; choose another name.", param="name") from None


def _logged(channel: Channel) -> dict[str, Any]:
    """Return what the log may say of a channel: neither its URL nor its secret."""
    address = {"addresses": channel.addresses} if channel.kind == Channel.Kind.EMAIL else {"host": channel.host}
    return {"name": channel.name, "kind": channel.kind, "wants": channel.wants, **address}
