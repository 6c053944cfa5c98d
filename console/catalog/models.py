"""Which models there are, what they cost, and what a name means today."""

import re
from decimal import Decimal
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models

from console.core.clock import now
from console.core.ids import uuid7
from console.providers.registry import KINDS
from console.teams.models import Environment, Team, User

# The end of a model's name that says which one exactly: -2026-07-30, -20260730, :8b, @v2, -4.1, -r14
_VERSION = re.compile(r"[-@:](\d{4}-\d{2}-\d{2}|\d{8}|[rv]?\d+(?:\.\d+)*b?)$")


class Capability(models.TextChoices):
    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"
    TOOLS = "tools"
    JSON_SCHEMA = "json_schema", "JSON schema"
    VISION = "vision"
    REASONING = "reasoning"


class Provider(models.Model):
    """A configured upstream, with its secret. `kind` names the adapter in console/providers."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=30)
    base_url = models.CharField(max_length=500)
    secret = models.TextField(blank=True, help_text="Encrypted; never shown.")
    is_builtin = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    first_byte_seconds = models.PositiveIntegerField(null=True, blank=True)
    total_seconds = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def has_secret(self) -> bool:
        return bool(self.secret)

    @property
    def host(self) -> str:
        """The address without scheme and path, for lists."""
        return urlsplit(self.base_url).netloc

    @property
    def kind_label(self) -> str:
        return KINDS[self.kind].label if self.kind in KINDS else self.kind


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
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["provider__name", "name"]
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="one_version_per_name_and_provider")]

    def __str__(self) -> str:
        return f"{self.provider.slug}/{self.name}"

    @property
    def capability_labels(self) -> list[str]:
        return [str(Capability(capability).label) for capability in self.capabilities]

    @property
    def family(self) -> str:
        """The name without what pins it down: `meridian-large` of `meridian-large-2026-07-30`."""
        return _VERSION.split(self.name, maxsplit=1)[0]

    @property
    def exact(self) -> str:
        """What pins the name down: a date or number at its end; empty when it has none."""
        found = _VERSION.search(self.name)
        return found.group(1) if found else ""


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

    class Meta:
        ordering = ["-effective_from"]
        constraints = [
            models.UniqueConstraint(fields=["model_version", "effective_from"], name="one_price_per_moment"),
            models.CheckConstraint(
                condition=models.Q(input__gte=0)
                & models.Q(output__gte=0)
                & (models.Q(cached_input__isnull=True) | models.Q(cached_input__gte=0)),
                name="price_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version} from {self.effective_from:%Y-%m-%d}"

    @property
    def shown(self) -> dict[str, str]:
        """The prices as people write them: two decimals, more where there are more."""
        return {
            name: _amount(value)
            for name, value in (("input", self.input), ("cached_input", self.cached_input), ("output", self.output))
            if value is not None
        }


class Alias(models.Model):
    """The name callers use. Without teams it is for everybody."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=300, blank=True)
    teams: "models.ManyToManyField[Team, models.Model]" = models.ManyToManyField(
        Team, blank=True, related_name="aliases"
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "aliases"

    def __str__(self) -> str:
        return self.name


class Pin(models.Model):
    """What an alias means in one environment today."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    alias = models.ForeignKey(Alias, on_delete=models.CASCADE, related_name="pins")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="pins")
    default_parameters = models.JSONField(default=dict, blank=True)
    revision = models.PositiveIntegerField(
        default=1, help_text="Grows with every move; a form that saw an older one is stale."
    )
    moved_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["alias", "environment"], name="one_pin_per_environment")]

    def __str__(self) -> str:
        return f"{self.alias.name}@{self.environment}"


class PinMove(models.Model):
    """One move of a pin: who, when, why, from, to. Written once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pin = models.ForeignKey(Pin, on_delete=models.CASCADE, related_name="moves")
    from_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, related_name="+")
    to_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    moved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    moved_by_name = models.CharField(max_length=200)
    moved_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-moved_at"]

    def __str__(self) -> str:
        return f"{self.pin} to {self.to_version}"
