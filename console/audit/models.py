"""The tables of the audit log. They have no foreign keys: a record outlives the team, prompt or key it names."""

import json
import re

from django.db import models

from console.core.clock import now
from console.core.ids import TRACE_PARENT, uuid7

# Of a client that named its request besides.
_BESIDE = re.compile(rf'"traceparent": ?"{TRACE_PARENT.pattern}"')


# Kinds of tokens with a price of their own that few calls have any of, in the order of a Usage. They are part of the
# prompt's or the completion's, as `cached_tokens` are; what is written for an hour is part of what is written.
TOKEN_KINDS = ("cache_write_tokens", "cache_write_1h_tokens", "audio_input_tokens", "audio_output_tokens")


class Status(models.TextChoices):
    OK = "ok", "OK"
    ERROR = "error"
    REFUSED = "refused"
    CLIENT_DISCONNECTED = "client_disconnected", "Client disconnected"
    INTERRUPTED = "interrupted"


class EventType(models.TextChoices):
    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"
    RESPONSE = "response"
    MESSAGE = "message"
    PLAYGROUND = "playground"
    EVALUATION = "evaluation"
    SHADOW = "shadow", "Shadow copy"
    AGENT = "agent"
    TOOL = "tool"
    QUESTION = "question", "Question about a run"
    MODELS = "models"
    FILES = "files"
    BATCHES = "batches"
    ADMIN = "admin", "Administration"
    ACCESS = "access", "Sign-in and reading"


class Epoch(models.Model):
    """One number that grows with every recorded change. A plan made under an older one is refused and made again."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField(default=1)

    class Meta:
        db_table = "audit_epoch"

    def __str__(self) -> str:
        return str(self.value)


class AuditEvent(models.Model):
    """One line of the log: a call, a change, a sign-in, or somebody reading content.

    `id` is a UUIDv7 of `at`; the table is partitioned by month on it, so a range of time is a range of ids.
    `tx` is the transaction that inserted the row: it orders rows by commit horizon, which ids cannot.
    Rows are inserted by SQL (console/audit/sql and console/gateway/sql) and never updated or deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid7)
    tx = models.BigIntegerField(editable=False)
    at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    type = models.TextField(choices=EventType.choices)
    action = models.TextField(default="", help_text="`noun.verb` of console/audit/actions.py; empty for calls.")
    status = models.TextField(choices=Status.choices)
    http_status = models.SmallIntegerField(null=True)
    code = models.TextField(default="", help_text="The stable code of a refusal or failure.")
    reason = models.TextField(default="", help_text="What the caller was not told, for example why a key was refused.")

    team_id = models.UUIDField(null=True)
    team = models.TextField(default="")
    actor_kind = models.TextField(default="", help_text="user, key, visitor, run or system")
    actor_id = models.UUIDField(null=True)
    actor = models.TextField(default="")
    key_id = models.UUIDField(null=True)
    key = models.TextField(default="", help_text="The key as people see it: fk_live_…7f2c")
    environment = models.TextField(default="")
    lane = models.TextField(default="")
    surface = models.TextField(default="", help_text="api, chat, widget, playground, batch, agent or console")
    route = models.TextField(default="")
    client_address = models.TextField(default="")
    client_request_id = models.TextField(default="")

    alias = models.TextField(default="", help_text="What was asked for.")
    model = models.TextField(default="", help_text="provider/name of what served.")
    model_version_id = models.UUIDField(null=True)
    prompt = models.TextField(default="", help_text="Prompt refs that took part, as JSON.")
    agent = models.TextField(default="")
    stream = models.BooleanField(default=False)
    attempts = models.SmallIntegerField(default=0)

    prompt_tokens = models.IntegerField(default=0)
    cached_tokens = models.IntegerField(default=0)
    completion_tokens = models.IntegerField(default=0)
    reasoning_tokens = models.IntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    usage_note = models.TextField(default="", help_text="estimated, or over_reservation; empty when as reported.")
    latency_us = models.BigIntegerField(null=True)
    first_token_us = models.BigIntegerField(null=True)
    overhead_us = models.BigIntegerField(null=True)
    epoch = models.BigIntegerField(default=0)
    input_sha256 = models.BinaryField(null=True, help_text="Of the stored body, so that the seal covers content.")
    output_sha256 = models.BinaryField(null=True)

    target_type = models.TextField(default="")
    target_id = models.TextField(default="")
    target = models.TextField(default="")
    detail = models.TextField(default="", help_text="Before and after of a change, as JSON.")
    end_user = models.TextField(default="", help_text="Whose call it was, as the caller names its own users.")
    token_kinds = models.TextField(default="", help_text="How many of its tokens are of each of TOKEN_KINDS, as JSON.")
    metadata = models.JSONField(null=True, help_text="What the caller says it was for: texts by name; null for most.")

    class Meta:
        db_table = "audit_event"
        managed = False  # created by migration 0001 with its partitions
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action or self.type} {self.status}"

    @property
    def by_kind(self) -> dict[str, int]:
        """How many of the call's tokens are of each of TOKEN_KINDS."""
        return dict.fromkeys(TOKEN_KINDS, 0) | (json.loads(self.token_kinds) if self.token_kinds else {})

    @property
    def trace_parent(self) -> re.Match[str] | None:
        """The client's own trace that a call is part of, and the span in it; None where the client named none."""
        if found := TRACE_PARENT.fullmatch(self.client_request_id):
            return found
        return None if self.action else _BESIDE.search(self.detail)


class Payload(models.Model):
    """The input or output of one event, kept apart with its own retention.

    `bytes` and `sha256` are of the original; `body` is redacted and, when `is_cut`, shortened.
    """

    pk = models.CompositePrimaryKey("event_id", "kind")
    event_id = models.UUIDField()
    kind = models.TextField(choices=[("input", "Input"), ("output", "Output")])
    body = models.TextField()
    bytes = models.IntegerField()
    sha256 = models.BinaryField(null=True)
    is_cut = models.BooleanField(default=False)
    redactions = models.SmallIntegerField(default=0)

    class Meta:
        db_table = "audit_payload"
        managed = False

    def __str__(self) -> str:
        return f"{self.kind} of {self.event_id}"


class Rating(models.Model):
    """What somebody says of the answer of one call: good or bad, and why. One word each; the newest counts.

    Unlike the line it speaks of it may change and be taken back, so it is no part of the log: the log has a line of
    each change. It has no foreign key, as the log has none, and leaves with the month of its call.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event_id = models.UUIDField()
    rater_kind = models.CharField(max_length=10, help_text="user, key or visitor")
    rater_id = models.UUIDField(help_text="Of a key that was rotated: the first of its line.")
    rater = models.CharField(max_length=200, help_text="Their name when they said it.")
    is_good = models.BooleanField()
    score = models.DecimalField(max_digits=4, decimal_places=3, null=True, help_text="0 to 1, where one was given.")
    comment = models.CharField(max_length=1000, blank=True)
    given_at = models.DateTimeField(default=now)

    class Meta:
        db_table = "audit_rating"
        ordering = ["given_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["event_id", "rater_kind", "rater_id"], name="one_rating_each"),
            models.CheckConstraint(condition=models.Q(score__range=(0, 1)), name="rating_score_from_0_to_1"),
        ]

    def __str__(self) -> str:
        return self.says

    @property
    def says(self) -> str:
        return "good" if self.is_good else "bad"


class Seal(models.Model):
    """One block of the hash chain over the log: all rows with `from_tx <= tx < to_tx`.

    `sha256` covers the previous block's hash and the digest of every row in (tx, id) order. `format` says which
    canonical text of a row was digested; `first_id` and `last_id` are the smallest and largest id.
    """

    number = models.BigIntegerField(primary_key=True)
    from_tx = models.BigIntegerField()
    to_tx = models.BigIntegerField()
    rows = models.IntegerField()
    first_id = models.UUIDField(null=True)
    last_id = models.UUIDField(null=True)
    previous = models.BinaryField(max_length=32)
    sha256 = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField(default=now)
    format = models.SmallIntegerField(default=1)

    class Meta:
        db_table = "audit_seal"
        ordering = ["-number"]
        indexes = [models.Index(fields=["from_tx"], name="seal_by_tx")]

    def __str__(self) -> str:
        return f"block {self.number}"


class SealState(models.Model):
    """How far the log is sealed and when the chain was last found whole. One row; what the audit page's head says.

    `window_number` is the last block the rolling check of older blocks has reached; `whole_at` is when it last
    completed a round. `problem` stays until `verifyaudit` finds the whole chain as it was sealed.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sealed_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    window_number = models.BigIntegerField(default=0)
    whole_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True, default="")
    problem_at = models.DateTimeField(null=True)
    archived_to = models.TextField(
        blank=True, default="", db_default="", help_text="The store blocks are copied to: AUDIT_S3_URL."
    )
    archived_number = models.BigIntegerField(default=0, db_default=0)
    archived_at = models.DateTimeField(null=True, help_text="When the last block that was copied was sealed.")
    archive_problem = models.TextField(blank=True, default="", db_default="")

    class Meta:
        db_table = "audit_seal_state"

    def __str__(self) -> str:
        return self.problem or f"sealed at {self.sealed_at}"


class ChainCheck(models.Model):
    """One check of the whole chain that somebody asked for: up to block `last`, its head then, and what it found.

    `reached` is the last block looked at so far. A worker that looks at the next ones has the row until `leased_until`.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running", "Checking"
        WHOLE = "whole", "Intact"
        BROKEN = "broken", "Altered"
        FAILED = "failed", "Interrupted"

    OPEN = (State.WAITING, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=200)
    last = models.BigIntegerField()
    reached = models.BigIntegerField(default=0)
    blocks = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    dropped = models.BigIntegerField(default=0, help_text="Blocks whose rows are past their retention.")
    problem_count = models.PositiveIntegerField(default=0)
    problems = models.JSONField(default=list, help_text="The first of them: block, what.")
    head = models.BinaryField(max_length=32, help_text="The hash of block `last` when it began.")
    head_sealed_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_chain_check"
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=models.Q(state__in=["waiting", "running"]), name="one_chain_check_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"check up to block {self.last}"

    @property
    def is_over(self) -> bool:
        return self.state not in self.OPEN

    @property
    def head_text(self) -> str:
        return f"{self.last}:{bytes(self.head).hex()}"

    @property
    def percent(self) -> float:
        return 100 * self.reached / self.last
