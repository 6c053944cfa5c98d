"""Agents and their immutable versions, one of which is live."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import Team, User


class Audience(models.TextChoices):
    """Who may use an agent: the members of its team, of chosen teams too, or everybody who is signed in."""

    TEAM = "team", "Its team"
    TEAMS = "teams", "Chosen teams"
    ORGANISATION = "organisation", "Everybody"


class Agent(models.Model):
    """A worker with a name. Without tools it is an assistant: what the chat page and the widgets speak with.

    `live` is the version that answers; an agent without one is a draft and answers nobody. `revision` grows with every
    publication, so that a form that saw an older one is stale; `settings_revision` with what the agent is called and
    who may use it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=60)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="agents")
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)
    audience = models.CharField(max_length=12, choices=Audience.choices, default=Audience.TEAM)
    shared_with: "models.ManyToManyField[Team, models.Model]" = models.ManyToManyField(
        Team, blank=True, related_name="+", help_text="With the audience `teams`: which ones besides its own."
    )
    live = models.ForeignKey("AgentVersion", on_delete=models.PROTECT, null=True, related_name="+")
    revision = models.PositiveIntegerField(default=1)
    settings_revision = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField(default=now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], condition=Q(archived_at=None), name="one_living_agent_per_slug")
        ]
        indexes = [models.Index(fields=["team", "name"], name="agents_of_a_team")]

    def __str__(self) -> str:
        return self.name


class Definition(models.Model):
    """What an agent is, apart from its name: shared by the draft, which changes, and the versions, which never do.

    Instructions come from the prompt library: by label, so that a published change is live at once, or by number.
    """

    prompt_slug = models.CharField(max_length=200, blank=True)
    prompt_label = models.CharField(max_length=40, blank=True, help_text="Empty: by number, or by the environment.")
    prompt_number = models.PositiveIntegerField(null=True, blank=True)
    prompt_variables = models.JSONField(default=dict, blank=True, help_text="Values for what the prompt declares.")
    alias = models.CharField(max_length=100)
    parameters = models.JSONField(default=dict, blank=True)
    # Tokens and messages of a call; of a run its steps, time, cost and more (see definition.py).
    limits = models.JSONField(default=dict, blank=True)
    opening_message = models.TextField(blank=True, max_length=2000)
    suggested_questions = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    knowledge = models.JSONField(default=list, blank=True)
    grants = models.JSONField(default=list, blank=True)
    output_schema = models.JSONField(null=True, blank=True)
    input_schema = models.JSONField(null=True, blank=True, help_text="Of what a run is given; without it a message.")

    class Meta:
        abstract = True


class AgentDraft(Definition):
    """The next version while people work on it; one per agent. `base` is the version it was begun on."""

    agent = models.OneToOneField(Agent, on_delete=models.CASCADE, primary_key=True, related_name="draft")
    base = models.ForeignKey("AgentVersion", on_delete=models.PROTECT, null=True, related_name="+")
    revision = models.PositiveIntegerField(default=1)
    changed_by_name = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"draft of {self.agent}"


class AgentVersion(Definition):
    """One numbered state of an agent. Written once: the database itself refuses updates and deletes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    message = models.CharField(max_length=500, blank=True)
    author_id = models.UUIDField(null=True)
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["agent", "number"], name="one_agent_version_per_number")]

    def __str__(self) -> str:
        return f"{self.agent.slug}@{self.number}"


class AgentMove(models.Model):
    """One change of which version is live: who, when, why, from, to. Written once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="moves")
    from_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, null=True, related_name="+")
    to_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    moved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    moved_by_name = models.CharField(max_length=200)
    moved_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-moved_at", "-id"]

    def __str__(self) -> str:
        return f"{self.agent} to {self.to_version_id}"
