"""Model versions, their prices over time, and the shutdown warnings sent for them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.db import models

from console.catalog.models.providers import Provider
from console.core.clock import now
from console.core.ids import uuid7

# The end of a model's name that says which one exactly: -2026-07-30, -20260730, :8b, @v2, -4.1, -r14
_VERSION = re.compile(r"[-@:](\d{4}-\d{2}(?:-\d{2})?|\d{8}|[rv]?\d+(?:\.\d+)*b?)$")


class Capability(models.TextChoices):
    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"
    TOOLS = "tools"
    JSON_SCHEMA = "json_schema", "JSON schema"
    VISION = "vision"
    REASONING = "reasoning"


def labels_of(capabilities: Iterable[str]) -> list[str]:
    return [str(Capability(capability).label) for capability in capabilities]


class ModelVersion(models.Model):
    """One exact model at one provider. Provider and name never change; limits and prices have dates."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="model_versions")
    name = models.CharField(max_length=200, help_text="The model's name at the provider.")
    description = models.CharField(max_length=300, blank=True)
    context_tokens = models.PositiveIntegerField(default=8192)
    max_output_tokens = models.PositiveIntegerField(default=4096)
    capabilities = ArrayField(models.CharField(max_length=20, choices=Capability.choices), default=list)
    shutdown_on = models.DateField(null=True, blank=True)
    successor = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    retired_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1, help_text="Grows with every change.")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["provider__name", "name"]
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="one_version_per_name_and_provider")]

    def __str__(self) -> str:
        return f"{self.provider.slug}/{self.name}"

    @property
    def capability_labels(self) -> list[str]:
        return labels_of(self.capabilities)

    @property
    def family(self) -> str:
        """The name without what pins it down: `meridian-large` of `meridian-large-2026-07-30`."""
        return _VERSION.split(self.name, maxsplit=1)[0]

    @property
    def exact(self) -> str:
        """What pins the name down: a date or number at its end; empty when it has none."""
        found = _VERSION.search(self.name)
        return found.group(1) if found else ""


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a price is made of: currency units per million tokens, in the order they are written in.

    None is as `Price` says; of the output, only a model that makes vectors and nothing else has none.
    """

    input: Decimal
    output: Decimal | None = None
    cached_input: Decimal | None = None
    reasoning: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    audio_input: Decimal | None = None
    audio_output: Decimal | None = None
    long_input: Decimal | None = None
    long_output: Decimal | None = None
    long_above: int | None = None  # tokens


PARTS = tuple(field.name for field in fields(Amounts))
AMOUNTS = PARTS[:-1]  # those that are money


def _amount(value: Decimal) -> str:
    whole, _, decimals = f"{value:f}".partition(".")
    return f"{int(whole):,}.{decimals.rstrip('0').ljust(2, '0')}"


class Price(models.Model):
    """What a ModelVersion costs from `effective_from` on, in currency units per million tokens. Never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="prices")
    effective_from = models.DateTimeField(default=now)
    input = models.DecimalField(max_digits=12, decimal_places=6)
    cached_input = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    output = models.DecimalField(max_digits=12, decimal_places=6)
    # Empty: as input for what the provider had cached or caches, as output for what the model thought.
    reasoning = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    cache_write = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    cache_write_1h = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)  # empty: as the others
    # Empty: as input and output.
    audio_input = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    audio_output = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    # Where the input has more tokens, all of it and the output cost this, and the other parts are dearer in proportion.
    # Empty: as others.
    long_above = models.PositiveIntegerField(null=True, blank=True)
    long_input = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    long_output = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)

    class Meta:
        ordering = ["-effective_from"]
        constraints = [
            models.UniqueConstraint(fields=["model_version", "effective_from"], name="one_price_per_moment"),
            models.CheckConstraint(
                condition=models.Q(input__gte=0)
                & models.Q(output__gte=0)
                & (models.Q(cached_input__isnull=True) | models.Q(cached_input__gte=0))
                & (models.Q(reasoning__isnull=True) | models.Q(reasoning__gte=0)),
                name="price_not_negative",
            ),
            models.CheckConstraint(
                condition=(models.Q(cache_write__isnull=True) | models.Q(cache_write__gte=0))
                & (models.Q(cache_write_1h__isnull=True) | models.Q(cache_write_1h__gte=0)),
                name="price_of_cache_writes_not_negative",
            ),
            models.CheckConstraint(
                condition=(models.Q(audio_input__isnull=True) | models.Q(audio_input__gte=0))
                & (models.Q(audio_output__isnull=True) | models.Q(audio_output__gte=0)),
                name="price_of_audio_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(long_above__isnull=True, long_input__isnull=True, long_output__isnull=True)
                | (
                    models.Q(long_above__isnull=False, long_above__gte=1)
                    & (models.Q(long_input__isnull=False) | models.Q(long_output__isnull=False))
                    & (models.Q(long_input__isnull=True) | models.Q(long_input__gte=0))
                    & (models.Q(long_output__isnull=True) | models.Q(long_output__gte=0))
                ),
                name="price_of_long_inputs_says_from_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version} from {self.effective_from:%Y-%m-%d}"

    @property
    def shown(self) -> dict[str, str]:
        """The prices as people write them: two decimals, more where there are more."""
        return {name: _amount(value) for name in AMOUNTS if (value := getattr(self, name)) is not None}

    @property
    def besides(self) -> list[str]:
        """What it has prices for beyond what every model charges, in words."""
        words = {"cache_write": "Cache writes", "cache_write_1h": "Cache writes for an hour"}
        words |= {"audio_input": "Audio in", "audio_output": "Audio out"}
        shown = self.shown
        found = [f"{said} {shown[name]}" for name, said in words.items() if name in shown]
        if self.long_above is not None:
            dearer = [f"{part} {shown[name]}" for part in ("input", "output") if (name := f"long_{part}") in shown]
            found.append(f"Above {self.long_above:,} tokens of input: {', '.join(dearer)}")
        return found


class ShutdownNotice(models.Model):
    """Operators were told that a version ends in so many days; written once, so that they are told once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="notices")
    shutdown_on = models.DateField()
    days = models.PositiveSmallIntegerField()
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model_version", "shutdown_on", "days"], name="one_notice_per_threshold")
        ]

    def __str__(self) -> str:
        return f"{self.model_version} ends within {self.days} days"
