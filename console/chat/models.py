"""Conversations of people and visitors with assistants, and the widgets through which visitors come."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agents_app.models import Agent, AgentVersion
from console.core.clock import now
from console.core.fields import EncryptedField
from console.core.ids import uuid7
from console.teams.models import Team, User


class Position(models.TextChoices):
    RIGHT = "right", "Bottom right"
    LEFT = "left", "Bottom left"


class Widget(models.Model):
    """An embedded chat on one site. `public_id` is all the site holds; an empty list of origins answers nobody."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    public_id = models.CharField(max_length=24, unique=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="widgets")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="widgets")
    name = models.CharField(max_length=80)
    title = models.CharField(max_length=80, blank=True, help_text="What visitors see above the conversation.")
    greeting = models.CharField(max_length=500, blank=True)
    colour = models.CharField(max_length=7, default="#0b6074")
    position = models.CharField(max_length=5, choices=Position.choices, default=Position.RIGHT)
    suggested_questions = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    language = models.CharField(max_length=5, default="en")
    origins = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    # Messages and characters a visitor, a network and the whole widget may send; what it may cost in a day.
    limits = models.JSONField(default=dict, blank=True)
    needs_identity = models.BooleanField(default=False, help_text="Only visitors the site vouches for.")
    identity_secret = EncryptedField(blank=True, help_text="Encrypted; the site signs visitors' identities with it.")
    is_enabled = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["team", "name"], name="widgets_of_a_team")]

    def __str__(self) -> str:
        return self.name


class Visitor(models.Model):
    """Somebody on a customer's site. `identity` is who the site says it is, if it signed that."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    widget = models.ForeignKey(Widget, on_delete=models.CASCADE, related_name="visitors")
    identity = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=80, blank=True)
    origin = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=now, editable=False)
    seen_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["widget", "identity"], condition=~Q(identity=""), name="one_visitor_per_identity"
            )
        ]

    def __str__(self) -> str:
        return self.name or "Visitor"


class Conversation(models.Model):
    """A chat of one person, or one visitor, with one assistant. `leaf` is the last message of the branch shown."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="conversations")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="conversations")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="conversations")
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, null=True, blank=True, related_name="conversations")
    widget = models.ForeignKey(Widget, on_delete=models.CASCADE, null=True, blank=True, related_name="conversations")
    title = models.CharField(max_length=120, blank=True)
    is_title_by_hand = models.BooleanField(default=False)
    leaf = models.ForeignKey("Message", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    pinned_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    shared_at = models.DateTimeField(null=True, blank=True, help_text="Since when the team may read along.")
    deleted_at = models.DateTimeField(null=True, blank=True)
    # A person of the team who answers in the assistant's place.
    taken_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    taken_at = models.DateTimeField(null=True, blank=True)
    person_wanted_at = models.DateTimeField(null=True, blank=True, help_text="Since when a visitor asks for a person.")
    escalated_at = models.DateTimeField(
        null=True, blank=True, help_text="When it first needed a person; stays when they give it back."
    )
    created_at = models.DateTimeField(default=now, editable=False)
    last_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-last_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(owner__isnull=False, visitor__isnull=True, widget__isnull=True)
                | Q(owner__isnull=True, visitor__isnull=False, widget__isnull=False),
                name="conversation_is_a_person_s_or_a_visitor_s",
            )
        ]
        indexes = [
            models.Index(fields=["owner", "-last_at"], name="conversations_of_a_person"),
            models.Index(fields=["widget", "-last_at"], name="conversations_of_a_widget"),
            models.Index(fields=["visitor", "-last_at"], name="conversations_of_a_visitor"),
            models.Index(
                fields=["widget"],
                condition=Q(taken_by__isnull=False) | Q(person_wanted_at__isnull=False),
                name="conversations_for_persons",
            ),
            models.Index(fields=["team", "created_at"], condition=Q(widget__isnull=False), name="visits_of_a_team"),
        ]

    def __str__(self) -> str:
        return self.title or "New conversation"


class Message(models.Model):
    """One turn. Turns form a tree: editing or asking again makes a sibling, and every branch stays.

    An answer being written has a lease; when the process that writes it dies, it ends as `interrupted` and keeps what
    it had. `request_id` finds the call in the log.
    """

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"
        PERSON = "person", "Team member"

    class Status(models.TextChoices):
        WRITING = "writing"
        DONE = "done"
        STOPPED = "stopped"
        REFUSED = "refused"
        FAILED = "failed"
        INTERRUPTED = "interrupted"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="children")
    role = models.CharField(max_length=10, choices=Role.choices)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DONE)
    text = models.TextField(blank=True)
    # Files people attached: {"name", "media_type", "bytes", "text"}; they are part of what is sent.
    attachments = models.JSONField(default=list, blank=True)
    # Parts of documents an answer was given, as they were called then: {"n", "document", "version", "collection", …}.
    sources = models.JSONField(default=list, db_default=[], blank=True)
    trouble = models.CharField(max_length=500, blank=True, help_text="Why there is no (whole) answer, for people.")
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    author_name = models.CharField(max_length=200, blank=True)
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    request_id = models.UUIDField(null=True, blank=True)
    model = models.CharField(max_length=270, blank=True)
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    latency_us = models.BigIntegerField(null=True, blank=True)
    first_token_us = models.BigIntegerField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(fields=["conversation", "created_at"], name="messages_of_a_conversation"),
            models.Index(fields=["lease_until"], condition=Q(status="writing"), name="messages_being_written"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class Feedback(models.Model):
    """Whether an answer helped, said once per person or visitor and changed at will."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="feedback")
    person = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    is_good = models.BooleanField()
    comment = models.CharField(max_length=1000, blank=True)
    given_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["message", "person", "visitor"], name="one_feedback_each", nulls_distinct=False
            )
        ]
        indexes = [models.Index(fields=["given_at"], name="feedback_by_time")]

    def __str__(self) -> str:
        return "good" if self.is_good else "bad"


class Allowance(models.Model):
    """How much of one limit of a widget is used in one period; `name` is one of console/chat/embed/limits.py.

    `subject` is the visitor or the network, empty for the whole widget. Only console/chat/embed/sql.py writes here, and
    the end of an answer.
    """

    pk = models.CompositePrimaryKey("widget_id", "name", "subject", "period_start")
    widget = models.ForeignKey(Widget, on_delete=models.CASCADE, related_name="allowances")
    name = models.CharField(max_length=20)
    subject = models.CharField(max_length=50, blank=True)
    period_start = models.DateTimeField()
    used = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["period_start"], name="allowances_by_age")]

    def __str__(self) -> str:
        return f"{self.name} {self.subject}: {self.used}"


class Held(models.Model):
    """What is set aside in an allowance for an answer that is being written: the most it can come to.

    The end of the answer puts what it really came to in its place; where the process dies, the sweeper does.
    """

    pk = models.CompositePrimaryKey("message_id", "name")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="held")
    name = models.CharField(max_length=20)
    widget_id = models.UUIDField()
    subject = models.CharField(max_length=50, blank=True)
    period_start = models.DateTimeField()
    amount = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.name}: {self.amount}"
