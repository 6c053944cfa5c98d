"""Tests of prompts: what is asked, what is expected of the answer, and what came of it."""

from django.db import models

from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import Environment, Team
from prompts_app.models import Prompt, PromptVersion


class TestCase(models.Model):
    """One case: values for the prompt's variables, maybe a message after it, and checks of the answer.

    `checks` is a list of {"kind", "value", "threshold", "alias"}; what each kind reads is in `checks.py`.
    """

    __test__ = False  # the name is the product's; test runners must not collect it

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="test_cases")
    name = models.CharField(max_length=100)
    variables = models.JSONField(default=dict)
    message = models.TextField(blank=True)
    expected = models.TextField(blank=True)
    checks = models.JSONField(default=list)
    changed_by_name = models.CharField(max_length=200)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="one_test_case_per_name")]

    def __str__(self) -> str:
        return self.name


class TestRun(models.Model):
    """All cases of a prompt on one version and one model. Its cases are copied into results when it starts.

    Whoever works on it holds the lease; when that runs out, anybody may go on where the results stand.
    """

    __test__ = False

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        STOPPED = "stopped"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="test_runs")
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="test_runs")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    model = models.CharField(max_length=200, help_text="The alias or exact version that answers.")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    pinned = models.CharField(
        max_length=261, blank=True, db_default="", help_text="The exact version this meant when the run started."
    )
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    started_by_kind = models.CharField(max_length=10)
    started_by_id = models.UUIDField()
    started_by_name = models.CharField(max_length=200)
    client_address = models.CharField(max_length=60, blank=True)
    started_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["prompt", "version", "-started_at"], name="test_runs_of_a_version"),
            models.Index(
                fields=["lease_until"], name="test_runs_going_on", condition=models.Q(status__in=["queued", "running"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} on {self.model}"

    @property
    def is_over(self) -> bool:
        return self.status in {self.Status.DONE, self.Status.STOPPED}


class TestResult(models.Model):
    """What came of one case in one run. `spec` is the case as it was when the run started.

    `calls` holds the request id of every call before it is made, so that none is made (and paid) twice.
    `checks` is a list of {"kind", "title", "passed", "reason"}.
    """

    __test__ = False

    class Status(models.TextChoices):
        WAITING = "waiting"
        PASSED = "passed"
        FAILED = "failed"
        ERROR = "error"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(TestRun, on_delete=models.CASCADE, related_name="results")
    case = models.ForeignKey(TestCase, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=100)
    spec = models.JSONField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    calls = models.JSONField(default=dict)
    output = models.TextField(blank=True, help_text="As the log keeps content: without secrets, and only so long.")
    is_forgotten = models.BooleanField(default=False)
    checks = models.JSONField(default=list)
    error = models.TextField(blank=True)
    request_id = models.UUIDField(null=True)
    tokens = models.PositiveIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    latency_us = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["run", "case"], name="one_result_per_case_and_run")]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"
