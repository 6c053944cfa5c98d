"""Tables of the JSON API."""

from django.db import models
from django.db.models import Q

from agents_app.models import Run
from console.core.clock import now
from console.teams.models import ApiKey, Team


class IdempotencyClaim(models.Model):
    """That one request holds an Idempotency-Key. What came of it is in the audit log, under the request's id."""

    digest = models.BinaryField(primary_key=True, max_length=32, help_text="Of credential, route and key.")
    body_sha256 = models.BinaryField(max_length=32, help_text="Of the canonical body.")
    request_id = models.UUIDField()
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.request_id)


class ManagementClaim(models.Model):
    """That a change of the management API was made under an Idempotency-Key, and what was answered."""

    digest = models.BinaryField(primary_key=True, max_length=32, help_text="Of credential, route and key.")
    body_sha256 = models.BinaryField(max_length=32, help_text="Of the canonical body.")
    request_id = models.UUIDField()
    status = models.PositiveSmallIntegerField()
    answer = models.TextField(blank=True, help_text="JSON, redacted, without what is shown once.")
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.request_id)


class ForgottenResponse(models.Model):
    """That a response was deleted by its caller. What it was is in the audit log, which keeps what it keeps."""

    id = models.UUIDField(primary_key=True, editable=False, help_text="The id of its request.")
    forgotten_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.pk)


class BackgroundResponse(models.Model):
    """A response whose caller does not wait: that it is wanted, and what became of it.

    One that an agent with tools answers is its `run`, whether or not its caller waits: that says what became of it.
    `frame` is what of it is told while it is open, apart from the body, which may be megabytes and is asked for often.
    `request_id` is that of the call that was made for it last; the answer is in the log, under that id. `body` is what
    was sent as long as the log does not have it: until the call has ended, or for good where it ended without an
    answer; redacted then. `lease_until` and `fence` say which worker is at it, as of a batch.
    """

    class State(models.TextChoices):
        """OpenAI's states."""

        QUEUED = "queued"
        IN_PROGRESS = "in_progress", "In progress"
        COMPLETED = "completed"
        INCOMPLETE = "incomplete"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, editable=False, help_text="The id of the request that asked for it.")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, null=True, related_name="+")
    client_address = models.CharField(max_length=45, blank=True, help_text="Where from; a key's networks are asked.")
    client_request_id = models.CharField(max_length=200, blank=True)
    trace_parent = models.CharField(max_length=55, blank=True, db_default="")
    metadata = models.JSONField(null=True, blank=True, help_text="What it is for, as the log keeps that.")
    lane = models.CharField(max_length=12)
    model = models.CharField(max_length=200)
    is_stream = models.BooleanField(default=False, help_text="Its events are kept, to be followed.")
    body = models.TextField(blank=True)
    frame = models.TextField(blank=True, db_default="")
    size = models.IntegerField(help_text="Bytes of the body as it was sent.")
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    error_code = models.CharField(max_length=80, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    request_id = models.UUIDField(null=True)
    told = models.IntegerField(default=0, help_text="How many events there are.")
    lease_until = models.DateTimeField(null=True)
    fence = models.IntegerField(default=0)
    lost_workers = models.SmallIntegerField(default=0, db_default=0, help_text="How many died with it in their hands.")
    not_before = models.DateTimeField(null=True, help_text="It is not asked before: a limit said so.")
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(help_text="What did not begin by then does not.")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(
                fields=["lane", "id"], name="responses_under_way", condition=Q(state__in=["queued", "in_progress"])
            ),
            models.Index(fields=["ended_at"], name="responses_that_ended"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"resp_{self.pk.hex}"

    @property
    def is_open(self) -> bool:
        return self.state in {self.State.QUEUED, self.State.IN_PROGRESS}


class ResponseFrames(models.Model):
    """Events of a response in the background, as they go over the wire: `count` of them, from number `first` on."""

    response = models.ForeignKey(BackgroundResponse, on_delete=models.CASCADE, related_name="frames")
    first = models.IntegerField()
    count = models.IntegerField()
    body = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["response", "first"], name="events_are_told_once")]

    def __str__(self) -> str:
        return f"{self.first} of {self.response_id}"
