"""Providers and their recent failures."""

from urllib.parse import urlsplit

from django.db import models

from console.core.clock import now
from console.core.fields import EncryptedField
from console.core.ids import uuid7
from console.providers.registry import KINDS


class Provider(models.Model):
    """A configured upstream, with its secret. `kind` names the adapter in console/providers."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=30)
    base_url = models.CharField(max_length=500)
    secret = EncryptedField(blank=True, help_text="Encrypted; never shown.")
    is_builtin = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    first_byte_seconds = models.PositiveIntegerField(null=True, blank=True)
    total_seconds = models.PositiveIntegerField(null=True, blank=True)
    # What the provider stands at most, over all processes together. Empty: no limit of ours.
    max_concurrency = models.PositiveIntegerField(null=True, blank=True)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True)
    preset = models.CharField(max_length=60, blank=True, help_text="The preset it was made from.")
    tested_at = models.DateTimeField(null=True, blank=True)
    was_test_ok = models.BooleanField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1, help_text="Grows with every change.")
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


# Codes of incidents that are no failures of their own: what the gateway made of failures.
OPENED, CLOSED = "breaker_opened", "breaker_closed"


class ProviderIncident(models.Model):
    """One thing that went wrong at a provider in one minute, and how often it did."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="incidents")
    minute = models.DateTimeField()
    last_at = models.DateTimeField(default=now)
    code = models.CharField(max_length=60)
    model = models.CharField(max_length=200, blank=True)
    sentence = models.CharField(max_length=500)
    count = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["-last_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "minute", "code", "model"], name="one_incident_per_minute")
        ]
        indexes = [models.Index(fields=["provider", "-last_at"], name="incidents_of_a_provider")]

    def __str__(self) -> str:
        return f"{self.provider_id} {self.code} {self.last_at:%Y-%m-%d %H:%M}"
