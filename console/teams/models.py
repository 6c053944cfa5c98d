"""People, teams, memberships, and API keys."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from console.core.clock import now
from console.core.ids import uuid7
from console.core.lanes import Lane
from console.teams.unknown_fields import policy_of


class Environment(models.TextChoices):
    PRODUCTION = "production"
    SANDBOX = "sandbox"


class UnknownFields(models.TextChoices):
    """What happens to request fields we do not know, in the words of GATEWAY_UNKNOWN_FIELDS."""

    INSTALLATION = "", "Installation default"
    PASS = "pass", "Pass them on to the provider"
    DROP = "drop", "Remove them"
    REFUSE = "refuse", "Reject the request"


class Role(models.TextChoices):
    OWNER = "owner"
    BUILDER = "builder"
    APPROVER = "approver"
    MEMBER = "member"
    AUDITOR = "auditor"


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a person whose address counts as proven: by invitation, by an operator, or by the identity provider.

        allauth wants the proof as a row of its own, without which single sign-on would not trust the password.
        """
        from allauth.account.models import EmailAddress

        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. An operator (`is_superuser`) runs the installation and sees every team."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now, editable=False)
    shortcuts_enabled = models.BooleanField(default=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_operator(self) -> bool:
        return self.is_active and self.is_superuser

    @property
    def is_staff(self) -> bool:
        """Django's admin is for operators only."""
        return self.is_operator

    @property
    def initials(self) -> str:
        words = (self.name or self.email.partition("@")[0].replace(".", " ")).split()
        return "".join(word[0] for word in words[:2]).upper() or "?"


class Team(models.Model):
    """The tenant: everything that is counted, limited or kept belongs to one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    colour = models.PositiveSmallIntegerField(default=1, help_text="Slot 1 to 4 of the team colours in charts.")
    requires_two_factor = models.BooleanField(default=False)
    revision = models.PositiveIntegerField(
        default=1, db_default=1, help_text="Grows with every change of its name or rules."
    )
    is_demo = models.BooleanField(default=False, help_text="Filled by `manage.py demo`; shown as such everywhere.")
    created_at = models.DateTimeField(default=now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    members: "models.ManyToManyField[User, Membership]" = models.ManyToManyField(
        User, through="Membership", related_name="teams"
    )

    class Meta:
        ordering = ["name"]
        permissions = [
            ("use_models", "Can call models for the team"),
            ("view_usage", "Can see usage and quotas"),
            ("view_audit", "Can see the team's audit log"),
            ("read_content", "Can read inputs and outputs in the audit log"),
            ("manage_keys", "Can create, rotate and revoke API keys"),
            ("manage_quotas", "Can limit keys and aliases inside the team"),
            ("manage_members", "Can invite, change and remove members"),
            ("manage_team", "Can change the team's name and rules"),
            ("build", "Can edit prompts and agents"),
            ("approve", "Can decide approvals and reviews"),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in a team. The rights behind the role are guardian object permissions on the team."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="one_membership_per_team")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.team}"


class Invitation(models.Model):
    """A single-use, short-lived link that makes somebody a member. Only the digest of its token is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role.choices)
    token_digest = models.BinaryField(unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    mail_failed = False  # of the one who has just sent it; not kept

    def __str__(self) -> str:
        return f"{self.email} to {self.team}"


class SignInLink(models.Model):
    """A one-time link that signs one person in; printed by `make run`, made by `manage.py quickstart`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    token_digest = models.BinaryField(unique=True)
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"link for {self.user}"


class ApiKey(models.Model):
    """A credential of a team. The full key is shown once; the digest is all that is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    environment = models.CharField(max_length=10, choices=Environment.choices)
    digest = models.BinaryField(max_length=32, unique=True)
    prefix = models.CharField(max_length=16, help_text="What the key starts with, for example fk_live_")
    last4 = models.CharField(max_length=4)
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    aliases = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    networks = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    max_lane = models.CharField(
        max_length=12, choices=Lane.choices, default=Lane.INTERACTIVE, help_text="The fastest lane its calls may have."
    )
    unknown_fields = models.CharField(
        max_length=6,
        choices=UnknownFields.choices,
        default=UnknownFields.INSTALLATION,
        blank=True,
        help_text="What happens to request fields Facet does not know; empty: what the installation's setting says.",
    )
    unknown_fields_by_operator = models.BooleanField(
        default=False, help_text="An operator gave it, so it may be laxer than the installation's setting."
    )
    revision = models.PositiveIntegerField(
        default=1, db_default=1, help_text="Grows with every change of its name or limits."
    )
    # Who answers for the key: it can never do more than this person may now. Empty for keys made by the installation.
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="api_keys")
    was_personal = models.BooleanField(default=False, help_text="Had an owner once; without one it has no rights.")
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="replaces"
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["team", "-created_at"], name="api_keys_of_a_team")]

    def __str__(self) -> str:
        return self.name

    @property
    def shown(self) -> str:
        """The key as people see it after the first time: `fk_live_…7f2c`."""
        return f"{self.prefix}…{self.last4}"

    @property
    def unknown_fields_now(self) -> str:
        """What really happens to fields nobody knows: pass, drop or refuse."""
        return policy_of(self)
