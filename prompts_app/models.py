"""Prompts: named texts with numbered states that never change, and labels that say which state is live."""

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


# The labels everybody has. Lists offer them before anything carries them.
USUAL_LABELS = ("production", "staging", "canary")


class Label(models.Model):
    """A name that points at a version: `production`, `staging`, `canary`, or one's own. Moving it publishes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=40)
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="labels")
    revision = models.PositiveIntegerField(default=1, help_text="Grows with every move; an older form is stale.")
    moved_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="one_label_per_name")]
        # Nearly all labels are the usual ones; the list of prompts asks which others there are.
        indexes = [
            models.Index(fields=["name", "prompt"], name="labels_of_ones_own", condition=~Q(name__in=USUAL_LABELS))
        ]

    def __str__(self) -> str:
        return f"{self.prompt.slug}:{self.name}"


class LabelMove(models.Model):
    """One move of a label: who, when, why, from, to. Written once; `to_version` is empty when it was taken off."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="label_moves")
    label = models.CharField(max_length=40)
    from_version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, null=True, related_name="+")
    to_version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    moved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    moved_by_name = models.CharField(max_length=200)
    moved_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-moved_at", "-id"]
        indexes = [models.Index(fields=["prompt", "-moved_at"], name="label_moves_of_a_prompt")]

    def __str__(self) -> str:
        return f"{self.prompt.slug}:{self.label} to {self.to_version_id}"


class LabelRule(models.Model):
    """What a team asks before a label of its prompts moves: a review by somebody else, green tests, or both."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="label_rules")
    label = models.CharField(max_length=40)
    needs_review = models.BooleanField(default=True)
    needs_green_tests = models.BooleanField(default=False)

    class Meta:
        ordering = ["label"]
        constraints = [models.UniqueConstraint(fields=["team", "label"], name="one_rule_per_label")]

    def __str__(self) -> str:
        return f"{self.team}:{self.label}"


class Review(models.Model):
    """The wish to move a protected label, and what somebody else decided. `from_version` was live when it was asked."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CHANGES = "changes", "Changes asked for"
        APPROVED = "approved", "Approved"
        WITHDRAWN = "withdrawn", "Withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="reviews")
    label = models.CharField(max_length=40)
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="reviews")
    from_version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, null=True, related_name="+")
    seen_revision = models.PositiveIntegerField(help_text="The label's revision when it was asked; 0 when it was new.")
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    requested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    requested_by_name = models.CharField(max_length=200)
    requested_by_key_id = models.UUIDField(null=True, help_text="Of a key's: whoever answers for it by now asked too.")
    requested_at = models.DateTimeField(default=now)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_by_name = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True)
    decision_note = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ["-requested_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "label"], condition=Q(status__in=["open", "changes"]), name="one_live_review_a_label"
            )
        ]

    def __str__(self) -> str:
        return f"review of {self.version} for {self.label}"


class ReviewComment(models.Model):
    """A remark on one line of the version under review, or on the whole when `line` is empty."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="comments")
    message_index = models.PositiveSmallIntegerField(null=True)
    line = models.PositiveIntegerField(null=True)
    text = models.CharField(max_length=2000)
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.text[:60]


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


class Waiver(models.Model):
    """Leave for one prompt not to include a required partial, with the reason."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="waivers")
    partial = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=500)
    given_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    given_by_name = models.CharField(max_length=200)
    given_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "partial"], name="one_waiver_per_partial")]

    def __str__(self) -> str:
        return f"{self.prompt} without {self.partial}"


class PromptUse(models.Model):
    """How often a prompt was called on one day from one surface; rolled up from the log."""

    id = models.BigAutoField(primary_key=True)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="uses")
    day = models.DateField()
    surface = models.CharField(max_length=20)
    number = models.PositiveIntegerField(help_text="Of the version.")
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt", "day", "surface", "number"], name="one_use_row_per_day_and_cut")
        ]

    def __str__(self) -> str:
        return f"{self.prompt_id} on {self.day}"


class PromptKeyUse(models.Model):
    """Which key called a prompt on one day; rolled up from the log, with the names things had then."""

    id = models.BigAutoField(primary_key=True)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="key_uses")
    day = models.DateField()
    key_id = models.UUIDField()
    key = models.CharField(max_length=100)
    team_id = models.UUIDField(null=True)
    team = models.CharField(max_length=200)
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt", "day", "key_id"], name="one_key_use_row_per_day_and_key")
        ]

    def __str__(self) -> str:
        return f"{self.prompt_id} by {self.key} on {self.day}"


class OfVersion(models.Model):
    """What one team's calls of one version in one environment tell of it, on one day of the calls, UTC.

    Of calls somebody waited for: none of the playground's and tests', none that was refused, no copy to a shadow.
    """

    id = models.BigAutoField(primary_key=True)
    number = models.PositiveIntegerField(help_text="Of the version.")
    day = models.DateField()
    team_id = models.UUIDField(help_text="The team that called, which need not be the prompt's.")
    environment = models.CharField(max_length=10)

    class Meta:
        abstract = True


class VersionDay(OfVersion):
    """The calls themselves; rolled up from the log."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="version_days", db_index=False)
    calls = models.IntegerField(default=0)
    errors = models.IntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    # How long the calls took, as counts per bucket of console.core.histogram.
    latency = ArrayField(models.IntegerField(), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "environment", "day", "number", "team_id"], name="one_row_per_version_and_day"
            )
        ]
        indexes = [models.Index(fields=["day"], name="version_days_by_age")]

    def __str__(self) -> str:
        return f"v{self.number} on {self.day}: {self.calls}"


class VersionRating(OfVersion):
    """What was said of their answers; changed with each rating. Apart, so that a rating waits for no roll-up."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="version_ratings", db_index=False)
    good = models.IntegerField(default=0)
    bad = models.IntegerField(default=0)
    scored = models.IntegerField(default=0, help_text="How many came with a score.")
    score = models.DecimalField(max_digits=12, decimal_places=3, default=0, help_text="The sum of those.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "environment", "day", "number", "team_id"], name="one_row_of_ratings_a_day"
            )
        ]
        indexes = [models.Index(fields=["day"], name="version_ratings_by_age")]

    def __str__(self) -> str:
        return f"v{self.number} on {self.day}: {self.good} good, {self.bad} bad"


class PromptUseState(models.Model):
    """How far the uses have been read from the log (its `tx` column). One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    next_tx = models.BigIntegerField(default=0)
    at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"read to {self.next_tx}"


# The tables of git live beside their code; Django finds them by way of this module.
from prompts_app.git.models import GitCommit, GitRemote, GitSync  # noqa: E402, F401
