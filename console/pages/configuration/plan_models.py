"""The part of a plan about model versions and prices."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from console.catalog.models import AMOUNTS, PARTS, Amounts, Capability, ModelVersion, Price, Provider
from console.catalog.queries import price_now
from console.catalog.services import versions as services
from console.core.clock import now
from console.pages.configuration.forms import Entry
from console.pages.configuration.steps import FieldChange, Ref, Step, as_shown, differences

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_FIELDS = ("context_tokens", "max_output_tokens", "description", "shutdown_on")


class ModelPlan:
    """Adds the steps of model versions to a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.later: list[tuple[Entry, str, list[FieldChange]]] = []
        rows = ModelVersion.objects.select_related("provider", "successor__provider").prefetch_related("prices")
        self.rows = {str(version): version for version in rows}

    def model(self, entry: Entry) -> None:
        slug, name = entry["provider"], entry["name"]
        if not self.plan.is_there(entry, "provider", "provider", slug):
            return
        label = f"{slug}/{name}"
        wanted = {n: entry[n] for n in _FIELDS if entry.has(n)}
        if entry.has("capabilities"):
            wanted["capabilities"] = services.in_order(entry["capabilities"])
        row = self.rows.get(label)
        able = wanted.get("capabilities") or (row.capabilities if row is not None else [])
        if not self._are_whole(entry, label, only_embeds=set(able) == {Capability.EMBEDDING}):
            return
        new_price, later = _prices_of(entry)
        if row is None:
            self._create(entry, label, wanted, new_price, later)
            self._successor(entry, label, None)
            return
        pairs = {n: (getattr(row, n), value) for n, value in wanted.items()}
        fields = differences(pairs)
        current = price_now(row)
        old_price = _amounts(current) if current else None
        prices = new_price is not None and new_price != old_price
        if new_price is not None and prices:
            fields.append(FieldChange("price", _price_text(old_price), _price_text(new_price)))
        version = row
        known = {price.effective_from: _amounts(price) for price in row.prices.all()}
        for moment in [moment for moment in later if moment in known]:
            if later.pop(moment) != known[moment]:
                self.plan.problem(
                    entry,
                    "later_prices",
                    f"{label} has another price from {moment.isoformat()} on already, and prices never change; "
                    "choose another moment.",
                )
        fields += [_later_change(moment, price) for moment, price in later.items()]

        def run() -> None:
            changed = {n: value for n, (old, value) in pairs.items() if old != value}
            if changed:
                services.change_version(actor=self.plan.actor, version=version, **changed)
            if new_price is not None and prices:
                self._set_price(version, new_price)
            for moment, price in later.items():
                self._set_price(version, price, moment)

        self.plan.change(entry, "model", label, fields, run, frozenset({("provider", slug)}))
        self._successor(entry, label, row)

    def _successor(self, entry: Entry, label: str, row: ModelVersion | None) -> None:
        """Remember what takes a model's place: it may be a model further down."""
        if entry.has("successor"):
            was = str(row.successor) if row is not None and row.successor else None
            if fields := differences({"successor": (was, entry["successor"])}):
                self.later.append((entry, label, fields))

    def finish(self) -> None:
        """Add the steps of successors, when all models are there."""
        for entry, label, fields in self.later:
            name: str | None = entry["successor"]
            if name is not None and not self.plan.is_there(entry, "successor", "model", name):
                continue
            needs: frozenset[Ref] = frozenset({("model", label)} | ({("model", name)} if name else set()))
            run = partial(self._succeed, label, name)
            self.plan.steps.append(Step(entry.place, "model", label, "~", fields, run, needs, entry.find))

    def _succeed(self, label: str, name: str | None) -> None:
        version, successor = _version(label), _version(name) if name else None
        services.change_version(actor=self.plan.actor, version=version, successor=successor)

    def _are_whole(self, entry: Entry, label: str, *, only_embeds: bool) -> bool:
        """See to it that each price says what output costs; that of vectors, which nobody writes, is nothing."""
        prices = [("price", entry.get("price")), *(("later_prices", one) for one in entry.get("later_prices", []))]
        for field, price in prices:
            if not isinstance(price, Entry) or price.has("output"):
                continue
            if not only_embeds:
                self.plan.problem(entry, field, f"{label} is not for embeddings only; say what its output costs.")
                return False
            price.values["output"] = Decimal(0)
        return True

    def _create(
        self, entry: Entry, label: str, wanted: dict[str, Any], price: Amounts | None, later: dict[dt.datetime, Amounts]
    ) -> None:
        fields = [FieldChange(n, "none", as_shown(v)) for n, v in wanted.items()]
        if price:
            fields.append(FieldChange("price", "none", _price_text(price)))
        fields += [_later_change(moment, amounts) for moment, amounts in later.items()]

        def run() -> None:
            provider = Provider.objects.get(slug=entry["provider"])
            version = services.create_version(actor=self.plan.actor, provider=provider, name=entry["name"], **wanted)
            if price:
                self._set_price(version, price)
            for moment, amounts in later.items():
                self._set_price(version, amounts, moment)

        needs = frozenset({("provider", str(entry["provider"]))})
        self.plan.steps.append(Step(entry.place, "model", label, "+", fields, run, needs))

    def _set_price(self, version: ModelVersion, price: Amounts, effective_from: dt.datetime | None = None) -> None:
        # `effective_from` was still to come when the plan was made.
        begins = effective_from if effective_from and effective_from > now() else None
        services.set_price(actor=self.plan.actor, version=version, amounts=price, effective_from=begins)


def _version(label: str) -> ModelVersion:
    provider, _, name = label.partition("/")
    return ModelVersion.objects.get(provider__slug=provider, name=name)


def _amounts(price: Entry | Price) -> Amounts:
    return Amounts(*(price.get(name) if isinstance(price, Entry) else getattr(price, name) for name in PARTS))


def _prices_of(entry: Entry) -> tuple[Amounts | None, dict[dt.datetime, Amounts]]:
    """Return the price from now on and those that begin later. One that lacks a half is a problem already."""
    price: Entry | None = entry.get("price")
    whole = [one for one in entry.get("later_prices", []) if isinstance(one, Entry) and one.has("from")]
    later = {one["from"]: _amounts(one) for one in whole if one.has("input") and one.has("output")}
    begun = [moment for moment in sorted(later) if moment <= now()]
    present = _amounts(price) if price is not None and price.has("input") and price.has("output") else None
    for moment in begun:
        present = later.pop(moment)
    return present, later


def _later_change(moment: dt.datetime, price: Amounts) -> FieldChange:
    return FieldChange(f"price from {moment.isoformat()}", "none", _price_text(price))


def _price_text(price: Amounts | None) -> str:
    if price is None:
        return "none"
    above = f"above {price.long_above} tokens"
    words = {"input": "in", "output": "out", "cached_input": "cached", "cache_write": "written to the cache"}
    words |= {"cache_write_1h": "written for an hour", "long_input": f"in {above}", "long_output": f"out {above}"}
    words |= {"audio_input": "audio in", "audio_output": "audio out"}
    amounts = ((name, value) for name in AMOUNTS if (value := getattr(price, name)) is not None)
    return ", ".join(f"{as_shown(value)} {words.get(name, name)}" for name, value in amounts)
