"""One line of a batch's input file: its position in the file, and its result."""

from django.db import models
from django.db.models import Q

from console.batches.models.batches import Batch


class LineState(models.TextChoices):
    PENDING = "pending"
    SENT = "sent"  # marked before its call is opened, with the request's id
    DONE = "done"
    FAILED = "failed"


class Line(models.Model):
    """`request_id` is that of the latest call; `fence` that of the worker that sent it.

    `result` is the line of the output or error file. It is emptied when those files are written.
    """

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="lines")
    number = models.IntegerField(help_text="In the input file, from 1.")
    custom_id = models.CharField(max_length=512)
    offset = models.BigIntegerField()
    length = models.IntegerField()
    state = models.CharField(max_length=8, choices=LineState.choices, default=LineState.PENDING)
    fence = models.IntegerField(default=0)
    attempts = models.SmallIntegerField(default=0, help_text="Failed ones.")
    not_before = models.DateTimeField(null=True)
    request_id = models.UUIDField(null=True)
    status_code = models.SmallIntegerField(null=True)
    error_code = models.CharField(max_length=80, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    result = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "batches_line"
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="one_line_per_number"),
            models.UniqueConstraint(fields=["batch", "custom_id"], name="one_line_per_custom_id"),
        ]
        indexes = [
            models.Index(fields=["batch", "number"], name="lines_to_send", condition=Q(state="pending")),
            models.Index(fields=["batch"], name="lines_under_way", condition=Q(state="sent")),
            models.Index(fields=["batch", "error_code"], name="lines_that_failed", condition=Q(state="failed")),
        ]

    def __str__(self) -> str:
        return self.custom_id
