"""The part of a plan about providers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from console.catalog.models import Provider
from console.catalog.names import checked_base_url
from console.catalog.services import providers as services
from console.core.errors import BadInput
from console.pages.configuration.forms import Entry
from console.pages.configuration.plan_secrets import secret_change
from console.pages.configuration.steps import FieldChange, Ref, Step, as_shown, differences

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

NUMBERS = (
    "first_byte_seconds", "total_seconds", "max_concurrency", "requests_per_minute", "tokens_per_minute",
)  # fmt: skip


class ProviderPlan:
    """Adds the steps of providers to a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows = {provider.slug: provider for provider in Provider.objects.all()}
        self.later: list[Step] = []

    def finish(self) -> None:
        """Add the steps that switch new providers off: no pin could be put on them, nor an agent live, before."""
        self.plan.steps += self.later

    def provider(self, entry: Entry) -> None:
        slug = entry["slug"]
        secret = self.plan.secret(entry)
        try:
            address = checked_base_url(entry.get("base_url", "")) if entry.has("base_url") else ""
        except BadInput as refusal:
            self.plan.problem(entry, "base_url", refusal.message)
            return
        row, enabled = self.rows.get(slug), entry.get("is_enabled")
        numbers = {name: entry[name] for name in NUMBERS if entry.has(name)}
        if row is None:
            said = (("name", entry.get("name")), ("kind", entry.get("kind")), ("base_url", address))
            fields = [FieldChange(n, "none", as_shown(v)) for n, v in said if v]
            if secret:
                fields.append(FieldChange("secret", "none", "set"))
            fields += [FieldChange(name, "none", as_shown(value)) for name, value in numbers.items()]
            given = {"name": entry.get("name", slug), "kind": entry.get("kind", ""), "base_url": address} | numbers

            def make() -> None:
                services.create_provider(actor=self.plan.actor, slug=slug, secret=secret or "", **given)

            self.plan.steps.append(Step(entry.place, "provider", slug, "+", fields, make))
            if enabled is False:
                off = [FieldChange("is_enabled", "yes", "no")]
                needs: frozenset[Ref] = frozenset({("provider", slug)})
                self.later.append(Step(entry.place, "provider", slug, "~", off, partial(self._switch_off, slug), needs))
            return
        pairs: dict[str, tuple[Any, Any]] = {
            "name": (row.name, entry.get("name", row.name)),
            "kind": (row.kind, entry.get("kind", row.kind)),
            "base_url": (row.base_url, address or row.base_url),
        } | {name: (getattr(row, name), value) for name, value in numbers.items()}
        fields = differences(pairs)
        fields += differences({"is_enabled": (row.is_enabled, enabled)} if enabled is not None else {})
        change_of_secret = secret_change("secret", row.secret, secret)
        changed = {name: new for name, (old, new) in pairs.items() if old != new}

        def change() -> None:
            if changed or change_of_secret:
                services.change_provider(actor=self.plan.actor, provider=row, secret=secret, **changed)
            if enabled is not None:
                services.enable_provider(actor=self.plan.actor, provider=row, enabled=enabled)

        self.plan.change(entry, "provider", slug, fields + change_of_secret, change)

    def _switch_off(self, slug: str) -> None:
        services.enable_provider(actor=self.plan.actor, provider=Provider.objects.get(slug=slug), enabled=False)
