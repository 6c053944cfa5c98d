"""Prompts, their versions, and drafts."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import Team, User


class Visibility(models.TextChoices):
    TEAM = "team", "Team"
    ORGANISATION = "organisation", "Organisation"


class Kind(models.TextChoices):
    TEXT = "text", "Text"
    CHAT = "chat", "Chat"
    PARTIAL = "partial", "Partial"


class Prompt(models.Model):
    """A named text. `slug` is path-like (`support/live-chat-answer`) and unique: a ref names it alone.

    `head` is the newest version. A deleted prompt keeps its row and versions, because the log speaks of them.
    `includes` are the slugs that its newest and its labelled versions include; `search` holds the words of its name,
    description and newest text; `calls` are those of the last 30 days. `revision` is the epoch of its last change that
    calls must notice, so that a process reads again only what is newer than what it knows; `settings_revision` grows
    with every change of what its settings say.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=200)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="prompts")
    visibility = models.CharField(max_length=12, choices=Visibility.choices, default=Visibility.TEAM)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.TEXT)
    description = models.CharField(max_length=300, blank=True)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    head = models.ForeignKey("PromptVersion", on_delete=models.PROTECT, null=True, related_name="+")
    # A partial that the prompts of the teams it covers must include, or carry a waiver; without teams, of every team.
    is_required = models.BooleanField(default=False)
    covers: "models.ManyToManyField[Team, models.Model]" = models.ManyToManyField(Team, blank=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    changed_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True, blank=True)
    includes = ArrayField(models.CharField(max_length=200), default=list, editable=False)
    search = SearchVectorField(null=True, editable=False)
    calls = models.PositiveIntegerField(default=0, editable=False)
    revision = models.BigIntegerField(default=0, editable=False)
    settings_revision = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], condition=Q(deleted_at=None), name="one_living_prompt_per_slug"),
            models.CheckConstraint(
                condition=Q(is_required=False) | Q(kind=Kind.PARTIAL), name="only_partials_are_required"
            ),
        ]
        indexes = [
            models.Index(fields=["team", "slug"], name="prompts_of_a_team"),
            models.Index(fields=["revision"], name="prompts_changed_since"),
            models.Index(fields=["-calls", "slug"], name="prompts_by_use", condition=Q(deleted_at=None)),
            models.Index(fields=["-changed_at", "slug"], name="prompts_by_change", condition=Q(deleted_at=None)),
            GinIndex(fields=["search"], name="prompts_by_word"),
            GinIndex(fields=["includes"], name="prompts_by_partial"),
            GinIndex(fields=["tags"], name="prompts_by_tag"),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def next_number(self) -> int:
        """The number of the version that is saved next. Needs `head`."""
        return self.head.number + 1 if self.head else 1

    @property
    def folder(self) -> str:
        """What stands before the last slash: `support` of `support/live-chat-answer`; empty at the top."""
        return self.slug.rpartition("/")[0]

    @property
    def name(self) -> str:
        """What stands behind the last slash."""
        return self.slug.rpartition("/")[2]


class PromptVersion(models.Model):
    """One numbered state of a prompt. Written once: the database itself refuses updates and deletes.

    `content` is a list of {"role", "text"}: several for a chat, exactly one with an empty role otherwise.
    `variables` is a list of {"name", "type", "is_required", "default", "example", "choices"}.
    `includes` is every partial the text names: {"slug", "number": int | None, "label": str | None}.
    The author is kept by id and name, not by a foreign key, so that nothing ever has to change the row.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    variables = models.JSONField(default=list)
    parameters = models.JSONField(default=dict)
    includes = models.JSONField(default=list)
    message = models.CharField(max_length=500, blank=True)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    author_id = models.UUIDField(null=True)
    author_name = models.CharField(max_length=200)
    author_email = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["prompt", "number"], name="one_version_per_number")]

    def __str__(self) -> str:
        return f"{self.prompt.slug}@{self.number}"


class Draft(models.Model):
    """What one person has typed and not saved; survives a closed tab. `base` is the version it was begun on.

    Without a prompt it is the one they are about to make, and `about` holds what was typed of its name, team and kind.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, null=True, related_name="drafts")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    base = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, null=True, related_name="+")
    content = models.JSONField(default=list)
    variables = models.JSONField(default=list)
    parameters = models.JSONField(default=dict)
    message = models.CharField(max_length=500, blank=True)
    about = models.JSONField(default=dict)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt", "person"], name="one_draft_per_person"),
            models.UniqueConstraint(fields=["person"], condition=Q(prompt=None), name="one_new_draft_per_person"),
        ]

    def __str__(self) -> str:
        return f"draft of {self.prompt or 'a new prompt'}"
