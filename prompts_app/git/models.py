"""The connected repository, the commits of versions, and its syncs."""

from django.db import models
from django.db.models import Q

from console.core.clock import now
from console.core.fields import EncryptedField
from console.core.ids import uuid7


class GitRemote(models.Model):
    """The one repository this installation exchanges its prompts with; operators connect it.

    `wanted_at` is when a sync was asked for, `claimed_at` when a worker began one. The credential is encrypted.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    address = models.CharField(max_length=500)
    branch = models.CharField(max_length=100, default="main")
    username = models.CharField(max_length=100, blank=True)
    credential = EncryptedField(blank=True)
    host_key = models.TextField(blank=True, help_text="Public key of an ssh host, as known_hosts has it.")
    syncs_on_publish = models.BooleanField(default=True)
    every_minutes = models.PositiveIntegerField(default=0, help_text="0: never by the clock.")
    revision = models.PositiveIntegerField(default=1, db_default=1, help_text="Grows with every change.")
    wanted_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    connected_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        app_label = "prompts"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_connected_repository")]

    def __str__(self) -> str:
        return self.address

    @property
    def has_credential(self) -> bool:
        return bool(self.credential)


class GitCommit(models.Model):
    """A commit that is known for a prompt, and the version that was the newest once it had been read or written.

    `blob` is the file it left behind, empty where it removed it.
    """

    class Origin(models.TextChoices):
        EXPORT = "export", "Written from the console"
        IMPORT = "import", "Read into the console"
        KEPT = "kept", "Skipped: the console's text was kept"

    id = models.BigAutoField(primary_key=True)
    prompt = models.ForeignKey("prompts.Prompt", on_delete=models.CASCADE, related_name="git_commits")
    version = models.ForeignKey("prompts.PromptVersion", on_delete=models.PROTECT, null=True, related_name="+")
    sha = models.CharField(max_length=40)
    blob = models.CharField(max_length=40, blank=True)
    origin = models.CharField(max_length=6, choices=Origin.choices)
    at = models.DateTimeField(default=now)

    class Meta:
        app_label = "prompts"
        constraints = [models.UniqueConstraint(fields=["prompt", "sha"], name="one_row_per_prompt_and_commit")]
        indexes = [models.Index(fields=["sha"], name="prompts_of_a_commit")]

    def __str__(self) -> str:
        return f"{self.sha[:10]} of {self.prompt_id}"


class GitSync(models.Model):
    """One exchange with a repository. `tip` is the newest commit it left everything known up to, if it did."""

    class Kind(models.TextChoices):
        SYNC = "sync", "Sync"
        IMPORT = "import", "Import"
        EXPORT = "export", "Export"

    class Outcome(models.TextChoices):
        RUNNING = "running", "Running"
        OK = "ok", "Done"
        CONFLICTS = "conflicts", "Conflicts"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    source = models.CharField(max_length=500)
    actor_name = models.CharField(max_length=200)
    started_at = models.DateTimeField(default=now)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=9, choices=Outcome.choices, default=Outcome.RUNNING)
    sentence = models.CharField(max_length=500, blank=True)
    tip = models.CharField(max_length=40, blank=True)
    imported = models.PositiveIntegerField(default=0, help_text="Versions made from commits.")
    exported = models.PositiveIntegerField(default=0, help_text="Commits written.")
    labels = models.PositiveIntegerField(default=0, help_text="Labels moved in the repository.")
    conflicts = models.JSONField(default=list)
    problems = models.JSONField(default=list)

    class Meta:
        app_label = "prompts"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} of {self.source}"
