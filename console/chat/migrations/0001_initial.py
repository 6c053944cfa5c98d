"""Conversations, the widgets they come from, and what visitors may use."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import console.core.clock
import console.core.ids
from console.core.operations import CreateModels


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("chat", "0001_conversations_and_widgets"),
        ("chat", "0002_allowances_of_visitors"),
        ("chat", "0003_conversations_for_persons"),
        ("chat", "0004_sources_of_answers"),
    ]

    dependencies = [
        ("agents", "0001_initial"),
        ("teams", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Widget",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("public_id", models.CharField(max_length=24, unique=True)),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="widgets", to="teams.team"
                            ),
                        ),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="widgets", to="agents.agent"
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        (
                            "title",
                            models.CharField(
                                blank=True, help_text="What visitors see above the conversation.", max_length=80
                            ),
                        ),
                        ("greeting", models.CharField(blank=True, max_length=500)),
                        ("colour", models.CharField(default="#0b6074", max_length=7)),
                        (
                            "position",
                            models.CharField(
                                choices=[("right", "Bottom right"), ("left", "Bottom left")],
                                default="right",
                                max_length=5,
                            ),
                        ),
                        (
                            "suggested_questions",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=200), blank=True, default=list, size=None
                            ),
                        ),
                        ("language", models.CharField(default="en", max_length=5)),
                        (
                            "origins",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=200), blank=True, default=list, size=None
                            ),
                        ),
                        ("limits", models.JSONField(blank=True, default=dict)),
                        (
                            "needs_identity",
                            models.BooleanField(default=False, help_text="Only visitors the site vouches for."),
                        ),
                        (
                            "identity_secret",
                            models.TextField(
                                blank=True, help_text="Encrypted; the site signs visitors' identities with it."
                            ),
                        ),
                        ("is_enabled", models.BooleanField(default=True)),
                        ("revision", models.PositiveIntegerField(default=1)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("deleted_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "ordering": ["name"],
                        "indexes": [models.Index(fields=["team", "name"], name="widgets_of_a_team")],
                    },
                ),
                migrations.CreateModel(
                    name="Visitor",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "widget",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="visitors", to="chat.widget"
                            ),
                        ),
                        ("identity", models.CharField(blank=True, max_length=200)),
                        ("name", models.CharField(blank=True, max_length=80)),
                        ("origin", models.CharField(max_length=200)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("seen_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("identity", ""), _negated=True),
                                fields=("widget", "identity"),
                                name="one_visitor_per_identity",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Conversation",
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
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="conversations",
                                to="teams.team",
                            ),
                        ),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="conversations",
                                to="agents.agent",
                            ),
                        ),
                        (
                            "owner",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="conversations",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "visitor",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="conversations",
                                to="chat.visitor",
                            ),
                        ),
                        (
                            "widget",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="conversations",
                                to="chat.widget",
                            ),
                        ),
                        ("title", models.CharField(blank=True, max_length=120)),
                        ("is_title_by_hand", models.BooleanField(default=False)),
                        (
                            "leaf",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="chat.message",
                            ),
                        ),
                        ("pinned_at", models.DateTimeField(blank=True, null=True)),
                        ("archived_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "shared_at",
                            models.DateTimeField(
                                blank=True, help_text="Since when the team may read along.", null=True
                            ),
                        ),
                        ("deleted_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "taken_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("taken_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "person_wanted_at",
                            models.DateTimeField(
                                blank=True, help_text="Since when a visitor asks for a person.", null=True
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("last_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["-last_at"],
                        "indexes": [
                            models.Index(fields=["owner", "-last_at"], name="conversations_of_a_person"),
                            models.Index(fields=["widget", "-last_at"], name="conversations_of_a_widget"),
                            models.Index(fields=["visitor", "-last_at"], name="conversations_of_a_visitor"),
                            models.Index(
                                condition=models.Q(
                                    ("taken_by__isnull", False), ("person_wanted_at__isnull", False), _connector="OR"
                                ),
                                fields=["widget"],
                                name="conversations_for_persons",
                            ),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("owner__isnull", False), ("visitor__isnull", True), ("widget__isnull", True)
                                    ),
                                    models.Q(
                                        ("owner__isnull", True), ("visitor__isnull", False), ("widget__isnull", False)
                                    ),
                                    _connector="OR",
                                ),
                                name="conversation_is_a_person_s_or_a_visitor_s",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Message",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "conversation",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="messages",
                                to="chat.conversation",
                            ),
                        ),
                        (
                            "parent",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="children",
                                to="chat.message",
                            ),
                        ),
                        (
                            "role",
                            models.CharField(
                                choices=[
                                    ("user", "User"),
                                    ("assistant", "Assistant"),
                                    ("person", "Team member"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("writing", "Writing"),
                                    ("done", "Done"),
                                    ("stopped", "Stopped"),
                                    ("refused", "Refused"),
                                    ("failed", "Failed"),
                                    ("interrupted", "Interrupted"),
                                ],
                                default="done",
                                max_length=12,
                            ),
                        ),
                        ("text", models.TextField(blank=True)),
                        ("attachments", models.JSONField(blank=True, default=list)),
                        ("sources", models.JSONField(blank=True, db_default=[], default=list)),
                        (
                            "trouble",
                            models.CharField(
                                blank=True, help_text="Why there is no (whole) answer, for people.", max_length=500
                            ),
                        ),
                        (
                            "author",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("author_name", models.CharField(blank=True, max_length=200)),
                        (
                            "agent_version",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="agents.agentversion",
                            ),
                        ),
                        ("request_id", models.UUIDField(blank=True, null=True)),
                        ("model", models.CharField(blank=True, max_length=270)),
                        ("prompt_tokens", models.PositiveIntegerField(default=0)),
                        ("completion_tokens", models.PositiveIntegerField(default=0)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        ("latency_us", models.BigIntegerField(blank=True, null=True)),
                        ("first_token_us", models.BigIntegerField(blank=True, null=True)),
                        (
                            "writer",
                            models.CharField(blank=True, help_text="The process that writes it.", max_length=100),
                        ),
                        ("lease_until", models.DateTimeField(blank=True, null=True)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                        "indexes": [
                            models.Index(fields=["conversation", "created_at"], name="messages_of_a_conversation"),
                            models.Index(
                                condition=models.Q(("status", "writing")),
                                fields=["lease_until"],
                                name="messages_being_written",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Feedback",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "message",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="feedback", to="chat.message"
                            ),
                        ),
                        (
                            "person",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "visitor",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="chat.visitor",
                            ),
                        ),
                        ("is_good", models.BooleanField()),
                        ("comment", models.CharField(blank=True, max_length=1000)),
                        ("given_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("message", "person", "visitor"), name="one_feedback_each", nulls_distinct=False
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Allowance",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "widget_id",
                                "name",
                                "subject",
                                "period_start",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "widget",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="allowances", to="chat.widget"
                            ),
                        ),
                        ("name", models.CharField(max_length=20)),
                        ("subject", models.CharField(blank=True, max_length=50)),
                        ("period_start", models.DateTimeField()),
                        ("used", models.BigIntegerField()),
                    ],
                    options={
                        "indexes": [models.Index(fields=["period_start"], name="allowances_by_age")],
                    },
                ),
                migrations.CreateModel(
                    name="Held",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "message_id", "name", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "message",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="held", to="chat.message"
                            ),
                        ),
                        ("name", models.CharField(max_length=20)),
                        ("widget_id", models.UUIDField()),
                        ("subject", models.CharField(blank=True, max_length=50)),
                        ("period_start", models.DateTimeField()),
                        ("amount", models.BigIntegerField()),
                    ],
                ),
            ],
        ),
    ]
