"""People, their teams, roles, invitations and keys."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import console.core.clock
import console.core.ids
from console.core.operations import CreateModels


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("teams", "0001_people_teams_keys"),
        ("teams", "0002_lanes_of_keys"),
        ("teams", "0003_unknown_fields_of_keys"),
        ("teams", "0004_laxer_keys_by_operators"),
    ]

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="User",
                    fields=[
                        ("password", models.CharField(max_length=128, verbose_name="password")),
                        ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                        (
                            "is_superuser",
                            models.BooleanField(
                                default=False,
                                help_text="Designates that this user has all permissions without explicitly assigning them.",
                                verbose_name="superuser status",
                            ),
                        ),
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("email", models.EmailField(max_length=254, unique=True)),
                        ("name", models.CharField(blank=True, max_length=120)),
                        ("is_active", models.BooleanField(default=True)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("shortcuts_enabled", models.BooleanField(default=True)),
                        (
                            "groups",
                            models.ManyToManyField(
                                blank=True,
                                help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                                related_name="user_set",
                                related_query_name="user",
                                to="auth.group",
                                verbose_name="groups",
                            ),
                        ),
                        (
                            "user_permissions",
                            models.ManyToManyField(
                                blank=True,
                                help_text="Specific permissions for this user.",
                                related_name="user_set",
                                related_query_name="user",
                                to="auth.permission",
                                verbose_name="user permissions",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                django.db.models.functions.text.Lower("email"), name="user_email_any_case"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Team",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("slug", models.SlugField(max_length=60, unique=True)),
                        ("name", models.CharField(max_length=120)),
                        (
                            "colour",
                            models.PositiveSmallIntegerField(
                                default=1, help_text="Slot 1 to 4 of the team colours in charts."
                            ),
                        ),
                        ("requires_two_factor", models.BooleanField(default=False)),
                        (
                            "is_demo",
                            models.BooleanField(
                                default=False, help_text="Filled by `manage.py demo`; shown as such everywhere."
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("archived_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "members",
                            models.ManyToManyField(
                                related_name="teams", through="teams.Membership", to=settings.AUTH_USER_MODEL
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["name"],
                        "permissions": [
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
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Membership",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="memberships", to="teams.team"
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="memberships",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "role",
                            models.CharField(
                                choices=[
                                    ("owner", "Owner"),
                                    ("builder", "Builder"),
                                    ("approver", "Approver"),
                                    ("member", "Member"),
                                    ("auditor", "Auditor"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("team", "user"), name="one_membership_per_team")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Invitation",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="invitations", to="teams.team"
                            ),
                        ),
                        ("email", models.EmailField(max_length=254)),
                        (
                            "role",
                            models.CharField(
                                choices=[
                                    ("owner", "Owner"),
                                    ("builder", "Builder"),
                                    ("approver", "Approver"),
                                    ("member", "Member"),
                                    ("auditor", "Auditor"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("token_digest", models.BinaryField(unique=True)),
                        (
                            "invited_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("expires_at", models.DateTimeField()),
                        ("accepted_at", models.DateTimeField(blank=True, null=True)),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="SignInLink",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("token_digest", models.BinaryField(unique=True)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("expires_at", models.DateTimeField()),
                        ("used_at", models.DateTimeField(blank=True, null=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="ApiKey",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="api_keys", to="teams.team"
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")], max_length=10
                            ),
                        ),
                        ("digest", models.BinaryField(max_length=32, unique=True)),
                        (
                            "prefix",
                            models.CharField(help_text="What the key starts with, for example fk_live_", max_length=16),
                        ),
                        ("last4", models.CharField(max_length=4)),
                        (
                            "scopes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), default=list, size=None
                            ),
                        ),
                        (
                            "aliases",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=100), blank=True, default=list, size=None
                            ),
                        ),
                        (
                            "networks",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=50), blank=True, default=list, size=None
                            ),
                        ),
                        (
                            "max_lane",
                            models.CharField(
                                choices=[("interactive", "Interactive"), ("standard", "Standard"), ("batch", "Batch")],
                                default="interactive",
                                help_text="The fastest lane its calls may have.",
                                max_length=12,
                            ),
                        ),
                        (
                            "unknown_fields",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("", "As the installation says"),
                                    ("pass", "Send them to the provider"),
                                    ("drop", "Leave them out"),
                                    ("refuse", "Refuse the request"),
                                ],
                                default="",
                                help_text="What happens to request fields Facet does not know; empty: what the installation's setting says.",
                                max_length=6,
                            ),
                        ),
                        (
                            "unknown_fields_by_operator",
                            models.BooleanField(
                                default=False,
                                help_text="An operator gave it, so it may be laxer than the installation's setting.",
                            ),
                        ),
                        (
                            "owner",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="api_keys",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "was_personal",
                            models.BooleanField(
                                default=False, help_text="Had an owner once; without one it has no rights."
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("expires_at", models.DateTimeField(blank=True, null=True)),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                        ("last_used_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "replaced_by",
                            models.OneToOneField(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="replaces",
                                to="teams.apikey",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-created_at"],
                        "indexes": [models.Index(fields=["team", "-created_at"], name="api_keys_of_a_team")],
                    },
                ),
            ],
        ),
    ]
