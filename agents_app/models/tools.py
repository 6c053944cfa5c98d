"""Tools: what agents can do besides answering. A team creates them once and grants them to its agents."""

from django.db import models
from django.db.models import Q

from console.core.clock import now
from console.core.fields import EncryptedField
from console.core.ids import uuid7
from console.teams.models import Team


class ToolServer(models.Model):
    """An MCP server, which offers tools of its own. `found` is what it listed when somebody last looked."""

    class Transport(models.TextChoices):
        HTTP = "http", "Streamable HTTP"
        STDIO = "stdio", "A program of the deployment"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="tool_servers")
    slug = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    transport = models.CharField(max_length=5, choices=Transport.choices, default=Transport.HTTP)
    # Of a program: the name it has in the deployment's settings, never a command.
    address = models.CharField(max_length=500)
    secret = EncryptedField(blank=True, help_text="Encrypted; sent as a bearer token.")
    found = models.JSONField(default=list, blank=True)
    is_enabled = models.BooleanField(default=True)
    trouble = models.CharField(max_length=500, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "slug"], condition=Q(deleted_at=None), name="one_tool_server_per_slug"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Tool(models.Model):
    """One function a model can be offered: a name, what it says of itself, and the schema of its arguments.

    `kind` names a folder of agents_app/tools, which knows what `config` means and how the call is made. `digest` is
    what an MCP server said of the tool when a person reviewed it: a tool that says something else is suspended.
    """

    class Effect(models.TextChoices):
        READ = "read", "Only reads"
        WRITE = "write", "Changes something"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="tools")
    slug = models.CharField(max_length=64, help_text="What the model calls it.")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=20)
    description = models.TextField(max_length=2000)
    parameters = models.JSONField(default=dict, help_text="JSON schema of the arguments.")
    config = models.JSONField(default=dict, blank=True)
    secret = EncryptedField(blank=True, help_text="Encrypted.")
    server = models.ForeignKey(ToolServer, on_delete=models.PROTECT, null=True, blank=True, related_name="tools")
    effect = models.CharField(max_length=5, choices=Effect.choices, default=Effect.WRITE)
    is_idempotent = models.BooleanField(
        default=False, help_text="Calling it twice with one key does no more than once."
    )
    timeout_seconds = models.PositiveSmallIntegerField(default=30)
    most_bytes = models.PositiveIntegerField(default=65_536, help_text="Of a result; more is cut, and said to be.")
    digest = models.CharField(max_length=64, blank=True)
    suspended = models.CharField(max_length=500, blank=True, help_text="Why nobody may call it until it is reviewed.")
    is_enabled = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["team", "slug"], condition=Q(deleted_at=None), name="one_tool_per_slug")
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def is_callable(self) -> bool:
        """Return whether it may be called at all; `server` must be loaded for a tool of one."""
        return (
            self.is_enabled
            and not self.suspended
            and self.deleted_at is None
            and (self.server is None or (self.server.is_enabled and self.server.deleted_at is None))
        )
