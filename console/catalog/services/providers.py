"""Connect, change, disable and remove providers."""

from typing import Any

from django.db import transaction
from django.db.models import ProtectedError, Q

from console.audit import actions
from console.audit.services import changes, record
from console.catalog.models import ModelVersion, Pin, Provider
from console.catalog.names import check_slug, checked_base_url, origin
from console.core.crypto import encrypt
from console.core.errors import BadInput, Conflict, check_revision
from console.core.races import hold, insert
from console.providers.registry import KINDS
from console.teams.callers import Actor

_SECONDS = ("first_byte_seconds", "total_seconds")
_LIMITS = ("max_concurrency", "requests_per_minute", "tokens_per_minute")
_FIELDS = ("name", "kind", "base_url", *_SECONDS, *_LIMITS)
_LARGEST_LIMIT = 2_000_000_000


def _check_kind(kind: str) -> str:
    if kind not in KINDS:
        raise BadInput(f"{kind!r} is not a kind of provider; choose {' or '.join(sorted(KINDS))}.", param="kind")
    return kind


def _check_numbers(values: dict[str, Any]) -> None:
    for name in _SECONDS:
        seconds = values.get(name)
        if seconds is not None and not 1 <= seconds <= 3600:
            raise BadInput(f"{seconds} seconds cannot be waited; write 1 to 3600, or leave it empty.", param=name)
    for name in _LIMITS:
        limit = values.get(name)
        if limit is not None and not 1 <= limit <= _LARGEST_LIMIT:
            raise BadInput(f"{limit} cannot be a limit; write 1 or more, or leave it empty for none.", param=name)


def _logged(provider: Provider) -> dict[str, Any]:
    """Return what the log may say of a provider: everything but the secret itself."""
    return {name: getattr(provider, name) for name in _FIELDS} | {"secret": "set" if provider.secret else "not set"}


def _check_secret(secret: str) -> str:
    secret = secret.strip()
    if any(ord(c) < 32 or ord(c) == 127 for c in secret):
        raise BadInput("The secret holds line breaks or control characters; paste it as one line.", param="secret")
    return secret


@transaction.atomic
def create_provider(
    *,
    actor: Actor,
    slug: str,
    name: str,
    kind: str,
    base_url: str,
    secret: str = "",
    preset: str = "",
    **numbers: int | None,
) -> Provider:
    """Connect an upstream, with deadlines and limits as `numbers`. The secret is encrypted and never shown again."""
    check_slug(slug)
    unknown = set(numbers) - {*_SECONDS, *_LIMITS}
    if unknown:
        raise TypeError(f"A provider has no {', '.join(sorted(unknown))}.")
    _check_numbers(numbers)
    secret = _check_secret(secret)
    provider = Provider(
        slug=slug,
        name=name.strip() or slug,
        kind=_check_kind(kind),
        base_url=checked_base_url(base_url),
        secret=encrypt(secret) if secret else "",
        preset=preset[:60],
        **numbers,
    )
    insert(provider, Conflict(f"There is a provider {slug!r} already; choose another short name.", param="slug"))
    record(actions.PROVIDER_CREATED, actor=actor, target=provider, detail={"after": {"slug": slug} | _logged(provider)})
    return provider


def _check_unpinned(provider: Provider) -> None:
    """Refuse another wire format while callers depend on the present one."""
    uses = Q()
    for place in ("model_version", "canary_version", "shadow_version", "fallbacks__model_version"):
        uses |= Q(**{f"{place}__provider": provider})
    pins = Pin.objects.filter(uses).select_related("alias").distinct().order_by("alias__name", "environment")
    names = [f"{pin.alias.name} ({pin.environment})" for pin in pins[:4]]
    if names:
        named = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
        raise Conflict(
            f"{provider} serves {named}. Move those pins first, or connect the address as another provider with the "
            "other kind and move them there.",
            param="kind",
        )


@transaction.atomic
def change_provider(
    *, actor: Actor, provider: Provider, secret: str | None = None, seen_revision: int | None = None, **fields: Any
) -> Provider:
    """Change the fields given. `secret=None` leaves it, "" takes it away; another host takes it away too.

    With `seen_revision`, a Conflict when somebody else changed the provider since.
    """
    provider = hold(provider)
    check_revision(provider, provider.revision, seen_revision)
    unknown = set(fields) - set(_FIELDS)
    if unknown:
        raise TypeError(f"A provider has no {', '.join(sorted(unknown))} to change.")
    if provider.is_builtin:
        raise BadInput("The built-in model is set up by the installation; switch it off with BUILTIN_MODEL=0.")
    before = _logged(provider)
    if "kind" in fields and _check_kind(fields["kind"]) != provider.kind:
        _check_unpinned(provider)
    if "base_url" in fields:
        fields["base_url"] = checked_base_url(fields["base_url"])
    _check_numbers(fields)
    moved_away = "base_url" in fields and origin(fields["base_url"]) != origin(provider.base_url)
    for name, value in fields.items():
        setattr(provider, name, value)
    if secret is not None:
        secret = _check_secret(secret)
        provider.secret = encrypt(secret) if secret else ""
    elif moved_away:
        provider.secret = ""
    after = _logged(provider)
    if secret:
        after |= {"secret": "set anew"}
    if before == after:
        return provider
    provider.revision += 1
    provider.save(update_fields=[*_FIELDS, "secret", "revision"])
    record(actions.PROVIDER_CHANGED, actor=actor, target=provider, detail=changes(before, after))
    return provider


@transaction.atomic
def enable_provider(*, actor: Actor, provider: Provider, enabled: bool) -> Provider:
    """Let calls go to a provider, or stop them from the next call on. Whoever has an older form open is told."""
    provider = hold(provider)
    if provider.is_enabled != enabled:
        provider.is_enabled, provider.revision = enabled, provider.revision + 1
        provider.save(update_fields=["is_enabled", "revision"])
        detail = changes({"is_enabled": not enabled}, {"is_enabled": enabled})
        record(actions.PROVIDER_CHANGED, actor=actor, target=provider, detail=detail)
    return provider


@transaction.atomic
def delete_provider(*, actor: Actor, provider: Provider) -> None:
    """Remove a provider that no pin, present or past, speaks of, together with its model versions."""
    provider = hold(provider)
    if provider.is_builtin:
        raise BadInput("The built-in model is set up by the installation; switch it off with BUILTIN_MODEL=0.")
    before = {"slug": provider.slug} | _logged(provider)
    identifier = provider.pk
    try:
        with transaction.atomic():
            ModelVersion.objects.filter(provider=provider).delete()
            provider.delete()
    except ProtectedError:
        raise Conflict(
            f"Pins point, or once pointed, at models of {provider.name} and their history names it, or collections have"
            " their vectors from them; disable it instead."
        ) from None
    provider.pk = identifier
    record(actions.PROVIDER_DELETED, actor=actor, target=provider, detail={"before": before})
