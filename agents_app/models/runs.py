"""Runs of agents and their steps. These rows are the truth: a worker only holds a lease."""

from django.db import models
from django.db.models import Q

from agents_app.models.agents import Agent, AgentVersion
from agents_app.models.tools import Tool
from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import Team


class Run(models.Model):
    """One execution of one version of an agent. What it began with stays, whatever is edited meanwhile.

    A run waits without a worker: for a person (an Approval), or until `wake_at`. `fence` grows with every claim of the
    lease, and whoever holds an older number cannot write.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        WAITING = "waiting"
        CANCELLING = "cancelling"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Trigger(models.TextChoices):
        CONSOLE = "console"
        API = "api", "API"
        CHAT = "chat", "Chat completion"
        SCHEDULE = "schedule"
        WEBHOOK = "webhook"
        QUEUE = "queue"
        TRY_OUT = "try_out", "Try-out of a draft"

    OVER = (State.SUCCEEDED, State.FAILED, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="runs")
    # Who pays: the team of the key, or the one in whose name the person runs it. Tools are those of the agent's team.
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="runs")
    # None for a try-out of a draft, whose definition is then kept here.
    version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="runs")
    definition = models.JSONField(null=True, blank=True)
    # The prompt its instructions are, by number: what a label means may change meanwhile.
    prompt = models.JSONField(null=True, blank=True)
    environment = models.CharField(max_length=10)
    title = models.CharField(max_length=120, blank=True)
    input = models.JSONField(default=dict)
    output = models.JSONField(null=True, blank=True)

    # On whose behalf it acts; looked up again before each step.
    actor_kind = models.CharField(max_length=10)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=200)
    client_address = models.CharField(max_length=45, blank=True)
    end_user = models.CharField(
        max_length=256, blank=True, default="", db_default="", help_text="Whose it is, as the log keeps that."
    )
    metadata = models.JSONField(null=True, blank=True, help_text="What it is for, as the log keeps that.")
    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    trigger_name = models.CharField(max_length=200, blank=True)
    # Who had set up its trigger: they asked for it as much as whoever it acts for.
    set_up_by_id = models.UUIDField(null=True)
    # A tick, a delivery, a message: the same one starts no second run.
    dedupe_key = models.CharField(max_length=300, null=True, blank=True, unique=True)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="reruns")
    parent_step = models.PositiveIntegerField(null=True, blank=True, help_text="The first step that was done anew.")
    # The run one of whose tools started this one, and how many runs stand above it that way.
    called_by = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="called")
    depth = models.PositiveSmallIntegerField(default=0)
    is_simulated = models.BooleanField(default=False, help_text="Tools answer what people say they would.")
    is_step_by_step = models.BooleanField(default=False, help_text="Waits for a person before each step.")

    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    waits_for = models.CharField(max_length=200, blank=True)
    code = models.CharField(max_length=60, blank=True)
    trouble = models.CharField(max_length=1000, blank=True)
    limits = models.JSONField(default=dict, help_text="Those of the version when it began.")
    steps_done = models.PositiveIntegerField(default=0)
    model_calls = models.PositiveIntegerField(default=0)
    tool_calls = models.PositiveIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)

    attempts = models.PositiveSmallIntegerField(default=0, help_text="Claims since a step last ended.")
    fence = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    wake_at = models.DateTimeField(null=True, blank=True)
    ends_by = models.DateTimeField(null=True, blank=True)
    waiting_since = models.DateTimeField(null=True, blank=True, help_text="Time that does not count.")
    created_at = models.DateTimeField(default=now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    forgotten_at = models.DateTimeField(null=True, blank=True, help_text="When what it read and said was removed.")

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(version__isnull=False) | Q(definition__isnull=False), name="run_has_a_definition"
            )
        ]
        indexes = [
            models.Index(fields=["team", "-created_at"], name="runs_of_a_team"),
            models.Index(fields=["agent", "-created_at"], name="runs_of_an_agent"),
            models.Index(
                fields=["wake_at", "lease_until"],
                condition=Q(state__in=["queued", "running", "cancelling", "waiting"]),
                name="runs_to_advance",
            ),
            models.Index(
                fields=["ended_at"],
                condition=Q(ended_at__isnull=False, forgotten_at__isnull=True),
                name="runs_to_forget",
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"Run of {self.agent_id}"

    @property
    def is_over(self) -> bool:
        return self.state in self.OVER

    @property
    def public_id(self) -> str:
        return f"run_{self.id.hex}"


class Step(models.Model):
    """One thing a run did: asked the model, called a tool, waited, or shortened what it remembers.

    A tool's step is committed as `intended` before anything is sent and gets its outcome afterwards. One that was
    intended and has none, of a tool that may not be called twice, is `unknown`: a person says what happened.
    """

    class Kind(models.TextChoices):
        MODEL = "model"
        TOOL = "tool"
        WAIT = "wait"
        COMPACTION = "compaction"

    class State(models.TextChoices):
        PLANNED = "planned"
        WAITING = "waiting"
        INTENDED = "intended"
        DONE = "done"
        FAILED = "failed"
        DENIED = "denied"
        UNKNOWN = "unknown"
        CANCELLED = "cancelled"

    OVER = (State.DONE, State.FAILED, State.DENIED, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    turn = models.PositiveIntegerField(help_text="The model's answer and the calls it asked for share one.")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=9, choices=State.choices, default=State.PLANNED)
    tool = models.ForeignKey(Tool, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    tool_name = models.CharField(max_length=200, blank=True, help_text="As the model wrote it.")
    call_id = models.CharField(max_length=200, blank=True)
    arguments = models.JSONField(null=True, blank=True)
    # {"effect": allow|ask|deny, "rule": id, "reason": sentence}, the newest last.
    decisions = models.JSONField(default=list, blank=True)
    # A model's message, a tool's result as the model reads it, or the summary.
    output = models.JSONField(null=True, blank=True)
    is_error = models.BooleanField(default=False)
    trouble = models.CharField(max_length=1000, blank=True)
    note = models.CharField(max_length=200, blank=True, help_text="One line for the trace.")
    idempotency_key = models.UUIDField(default=uuid7, editable=False)
    request_id = models.UUIDField(null=True, blank=True)
    model = models.CharField(max_length=270, blank=True)
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    is_taken_over = models.BooleanField(
        default=False, help_text="Done by the run this one repeats, at the same number; nothing of it was done again."
    )
    created_at = models.DateTimeField(default=now, editable=False)
    intended_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="one_step_per_number")]

    def __str__(self) -> str:
        return f"{self.number}. {self.tool_name or self.get_kind_display()}"
