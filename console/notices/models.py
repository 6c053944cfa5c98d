"""Alert channels, notices, and their deliveries."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from console.core.clock import now
from console.core.fields import EncryptedField
from console.core.ids import uuid7
from console.notices.kinds import NoticeKind
from console.teams.models import Team


class Channel(models.Model):
    """A place where notices of some kinds go. Without a team it is the installation's, and hears of every team."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        SLACK = "slack", "Slack-compatible webhook"
        WEBHOOK = "webhook", "Signed webhook"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="channels")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=80)
    addresses = ArrayField(models.EmailField(), default=list, blank=True, help_text="Of a channel by e-mail.")
    # Who knows such an address may post to it, so it is kept as the secret it is.
    url = EncryptedField(blank=True, help_text="Encrypted; only its host is shown.")
    host = models.CharField(max_length=300, blank=True, help_text="Scheme, host and port of the URL.")
    secret = EncryptedField(blank=True, help_text="Encrypted; what a webhook is signed with.")
    wants = ArrayField(models.CharField(max_length=10, choices=NoticeKind.choices), default=list)
    is_active = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(
        default=1, db_default=1, help_text="Grows with every change but of whether it is on."
    )
    delivered_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True, help_text="Of the last delivery, if it failed.")
    problem_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], nulls_distinct=False, name="one_channel_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def address_text(self) -> str:
        """What may be shown of the address: a URL may be all it takes to post, so only its host."""
        return ", ".join(self.addresses) if self.kind == self.Kind.EMAIL else self.host

    @property
    def wants_text(self) -> str:
        return ", ".join(str(NoticeKind(kind).label) for kind in self.wants)


class Notice(models.Model):
    """One thing that was told. The key says what it was told for, so that it is told once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=NoticeKind.choices)
    key = models.CharField(max_length=200)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="notices")
    title = models.CharField(max_length=300)
    text = models.TextField()
    url = models.CharField(max_length=1000)
    facts = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="told_once")]
        indexes = [models.Index(fields=["created_at"], name="notices_by_time")]

    def __str__(self) -> str:
        return self.title


class Delivery(models.Model):
    """A notice on its way to one address. While it waits `next_try_at` says until when nobody else may try."""

    class Way(models.TextChoices):
        CHANNEL = "channel", "By a channel"
        MAIL = "mail", "Mail to a person"
        SETTING = "setting", "APPROVAL_WEBHOOK_URL"

    class State(models.TextChoices):
        WAITING = "waiting", "On its way"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, null=True, related_name="deliveries")
    way = models.CharField(max_length=10, choices=Way.choices)
    address = models.CharField(max_length=254, blank=True, help_text="Of a mail.")
    instead_of = models.CharField(max_length=700, blank=True, help_text="Why it is mailed: what a channel answered.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, default=now)
    problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["notice", "way", "channel", "address"], nulls_distinct=False, name="one_delivery_per_address"
            ),
            models.CheckConstraint(
                condition=models.Q(state="waiting", next_try_at__isnull=False)
                | ~models.Q(state="waiting") & models.Q(next_try_at=None),
                name="only_what_waits_is_tried",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=models.Q(state="waiting"), name="deliveries_due"),
        ]

    def __str__(self) -> str:
        return f"{self.notice_id} by {self.way}: {self.state}"

    @property
    def has_failed(self) -> bool:
        return self.state == self.State.FAILED

    @property
    def tone(self) -> str:
        return {"waiting": "line", "delivered": "ok"}.get(self.state, "bad")
