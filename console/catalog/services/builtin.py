"""The small models of `make run`, as providers like any other."""

from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from console.audit import actions
from console.audit.services import changes, record
from console.catalog.models import Amounts, Capability, ModelVersion, Provider
from console.catalog.services.versions import create_version, set_price
from console.core.crypto import decrypt, encrypt
from console.teams.callers import Actor


class Builtin(NamedTuple):
    """One built-in model: its provider, and what its page says."""

    slug: str
    provider_name: str
    kind: str
    name: str
    description: str
    capabilities: tuple[str, ...]
    max_output_tokens: int


CHAT = Builtin(
    slug="builtin",
    provider_name="Built-in (small, for trying things out)",
    kind="openai",
    name="smollm2-135m-instruct",
    description="Small, for trying things out: 135 million parameters on this machine. Its answers are often wrong.",
    capabilities=(Capability.CHAT, Capability.COMPLETION),
    max_output_tokens=2048,
)
EMBEDDINGS = Builtin(
    slug="builtin-embeddings",
    provider_name="Built-in embeddings (small, for trying things out)",
    kind="wordllama",
    name="wordllama-l2-256",
    description="Small, for trying things out: averages of word vectors, up to 256 numbers. It reads no word order.",
    capabilities=(Capability.EMBEDDING,),
    max_output_tokens=1,
)


@transaction.atomic
def ensure_builtin(
    *, actor: Actor, base_url: str, context_tokens: int = 8192, secret: str = "", builtin: Builtin = CHAT
) -> ModelVersion:
    """Return a built-in model, made on first use; its address, limit and secret follow where its server runs.

    The address is the installation's own doing and on loopback, so it is not checked like one a person types.
    """
    provider, created = Provider.objects.select_for_update(no_key=True).get_or_create(
        slug=builtin.slug,
        defaults={
            "name": builtin.provider_name,
            "kind": builtin.kind,
            "base_url": base_url,
            "secret": encrypt(secret) if secret else "",
            "is_builtin": True,
        },
    )
    if created:
        record(actions.PROVIDER_CREATED, actor=actor, target=provider, detail={"after": {"base_url": base_url}})
    elif provider.base_url != base_url or (decrypt(provider.secret) if provider.secret else "") != secret:
        detail = changes({"base_url": provider.base_url}, {"base_url": base_url})
        provider.base_url, provider.secret = base_url, encrypt(secret) if secret else ""
        provider.save(update_fields=["base_url", "secret"])
        record(actions.PROVIDER_CHANGED, actor=actor, target=provider, detail=detail)
    version = ModelVersion.objects.filter(provider=provider, name=builtin.name).select_related("provider").first()
    if version is None:
        version = create_version(
            actor=actor,
            provider=provider,
            name=builtin.name,
            description=builtin.description,
            context_tokens=context_tokens,
            max_output_tokens=min(builtin.max_output_tokens, context_tokens),
            capabilities=list(builtin.capabilities),
        )
        set_price(actor=actor, version=version, amounts=Amounts(Decimal(0), Decimal(0)))
    elif version.context_tokens != context_tokens:
        before = {"context_tokens": version.context_tokens, "max_output_tokens": version.max_output_tokens}
        version.context_tokens, version.max_output_tokens = (
            context_tokens,
            min(builtin.max_output_tokens, context_tokens),
        )
        version.save(update_fields=["context_tokens", "max_output_tokens"])
        after = {"context_tokens": version.context_tokens, "max_output_tokens": version.max_output_tokens}
        record(actions.MODEL_CHANGED, actor=actor, target=version, detail=changes(before, after))
    return version
