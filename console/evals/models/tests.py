"""Tests of prompts: input, checks and results."""

from django.db import models

from console.core.clock import now
from console.core.ids import uuid7
from console.evals.models.work import Outcome, Work
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
    revision = models.PositiveIntegerField(default=1, db_default=1, help_text="Grows with every change.")
    changed_by_name = models.CharField(max_length=200)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="one_test_case_per_name")]

    def __str__(self) -> str:
        return self.name


class TestRun(Work):
    """All cases of a prompt on one version and one model. Its cases are copied into results when it starts."""

    __test__ = False

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="test_runs")
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="test_runs")
    model = models.CharField(max_length=200, help_text="The alias or exact version that answers.")
    pinned = models.CharField(
        max_length=261, blank=True, db_default="", help_text="The exact version this meant when the run started."
    )

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


class TestResult(Outcome):
    """What came of one case in one run. `spec` is the case as it was when the run started."""

    __test__ = False

    run = models.ForeignKey(TestRun, on_delete=models.CASCADE, related_name="results")
    case = models.ForeignKey(TestCase, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=100)
    spec = models.JSONField()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["run", "case"], name="one_result_per_case_and_run")]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"
