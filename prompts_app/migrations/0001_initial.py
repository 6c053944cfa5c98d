"""Prompts, whose versions never change, and the labels, reviews and repository around them."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import console.core.clock
import console.core.ids
from console.core.operations import CreateModels

# A version is written once: the database refuses to change or delete one, whoever asks.
_VERSIONS_NEVER_CHANGE = """
CREATE FUNCTION prompts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of a prompt is never changed or deleted' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER version_is_written_once BEFORE UPDATE OR DELETE ON prompts_promptversion
    FOR EACH ROW EXECUTE FUNCTION prompts_refuse_change();
CREATE TRIGGER versions_stay BEFORE TRUNCATE ON prompts_promptversion
    FOR EACH STATEMENT EXECUTE FUNCTION prompts_refuse_change();
"""
_LET_VERSIONS_CHANGE = """
DROP TRIGGER versions_stay ON prompts_promptversion;
DROP TRIGGER version_is_written_once ON prompts_promptversion;
DROP FUNCTION prompts_refuse_change;
"""


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("prompts", "0001_prompts_and_labels"),
        ("prompts", "0002_versions_never_change"),
        ("prompts", "0003_search_and_marks"),
        ("prompts", "0004_git_repository"),
        ("prompts", "0005_read_uses"),
        ("prompts", "0006_name_the_keys"),
        ("prompts", "0007_draft_of_a_new_prompt"),
        ("prompts", "0008_find_labels_of_ones_own"),
    ]

    dependencies = [
        ("teams", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Prompt",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("slug", models.CharField(max_length=200)),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="prompts", to="teams.team"
                            ),
                        ),
                        (
                            "visibility",
                            models.CharField(
                                choices=[("team", "Team"), ("organisation", "Organisation")],
                                default="team",
                                max_length=12,
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[("text", "Text"), ("chat", "Chat"), ("partial", "Partial")],
                                default="text",
                                max_length=8,
                            ),
                        ),
                        ("description", models.CharField(blank=True, max_length=300)),
                        (
                            "tags",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), blank=True, default=list, size=None
                            ),
                        ),
                        (
                            "head",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="prompts.promptversion",
                            ),
                        ),
                        ("is_required", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("changed_at", models.DateTimeField(default=console.core.clock.now)),
                        ("deleted_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "includes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=200), default=list, editable=False, size=None
                            ),
                        ),
                        ("search", django.contrib.postgres.search.SearchVectorField(editable=False, null=True)),
                        ("calls", models.PositiveIntegerField(default=0, editable=False)),
                        ("revision", models.BigIntegerField(default=0, editable=False)),
                        ("covers", models.ManyToManyField(blank=True, related_name="+", to="teams.team")),
                    ],
                    options={
                        "ordering": ["slug"],
                        "indexes": [
                            models.Index(fields=["team", "slug"], name="prompts_of_a_team"),
                            models.Index(fields=["revision"], name="prompts_changed_since"),
                            models.Index(
                                condition=models.Q(("deleted_at", None)),
                                fields=["-calls", "slug"],
                                name="prompts_by_use",
                            ),
                            models.Index(
                                condition=models.Q(("deleted_at", None)),
                                fields=["-changed_at", "slug"],
                                name="prompts_by_change",
                            ),
                            django.contrib.postgres.indexes.GinIndex(fields=["search"], name="prompts_by_word"),
                            django.contrib.postgres.indexes.GinIndex(fields=["includes"], name="prompts_by_partial"),
                            django.contrib.postgres.indexes.GinIndex(fields=["tags"], name="prompts_by_tag"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("deleted_at", None)),
                                fields=("slug",),
                                name="one_living_prompt_per_slug",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("is_required", False), ("kind", "partial"), _connector="OR"),
                                name="only_partials_are_required",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PromptVersion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="versions",
                                to="prompts.prompt",
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("content", models.JSONField()),
                        ("variables", models.JSONField(default=list)),
                        ("parameters", models.JSONField(default=dict)),
                        ("includes", models.JSONField(default=list)),
                        ("message", models.CharField(blank=True, max_length=500)),
                        (
                            "parent",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="prompts.promptversion",
                            ),
                        ),
                        ("author_id", models.UUIDField(null=True)),
                        ("author_name", models.CharField(max_length=200)),
                        ("author_email", models.CharField(blank=True, max_length=254)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["-number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("prompt", "number"), name="one_version_per_number")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Label",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="labels", to="prompts.prompt"
                            ),
                        ),
                        ("name", models.CharField(max_length=40)),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="labels",
                                to="prompts.promptversion",
                            ),
                        ),
                        (
                            "revision",
                            models.PositiveIntegerField(
                                default=1, help_text="Grows with every move; an older form is stale."
                            ),
                        ),
                        ("moved_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["name"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("name__in", ("production", "staging", "canary")), _negated=True),
                                fields=["name", "prompt"],
                                name="labels_of_ones_own",
                            )
                        ],
                        "constraints": [models.UniqueConstraint(fields=("prompt", "name"), name="one_label_per_name")],
                    },
                ),
                migrations.CreateModel(
                    name="LabelMove",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="label_moves",
                                to="prompts.prompt",
                            ),
                        ),
                        ("label", models.CharField(max_length=40)),
                        (
                            "from_version",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="prompts.promptversion",
                            ),
                        ),
                        (
                            "to_version",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="prompts.promptversion",
                            ),
                        ),
                        ("reason", models.CharField(blank=True, max_length=500)),
                        (
                            "moved_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("moved_by_name", models.CharField(max_length=200)),
                        ("moved_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["-moved_at", "-id"],
                        "indexes": [models.Index(fields=["prompt", "-moved_at"], name="label_moves_of_a_prompt")],
                    },
                ),
                migrations.CreateModel(
                    name="LabelRule",
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
                                on_delete=django.db.models.deletion.CASCADE, related_name="label_rules", to="teams.team"
                            ),
                        ),
                        ("label", models.CharField(max_length=40)),
                        ("needs_review", models.BooleanField(default=True)),
                        ("needs_green_tests", models.BooleanField(default=False)),
                    ],
                    options={
                        "ordering": ["label"],
                        "constraints": [models.UniqueConstraint(fields=("team", "label"), name="one_rule_per_label")],
                    },
                ),
                migrations.CreateModel(
                    name="Review",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="reviews", to="prompts.prompt"
                            ),
                        ),
                        ("label", models.CharField(max_length=40)),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="reviews",
                                to="prompts.promptversion",
                            ),
                        ),
                        (
                            "from_version",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="prompts.promptversion",
                            ),
                        ),
                        (
                            "seen_revision",
                            models.PositiveIntegerField(
                                help_text="The label's revision when it was asked; 0 when it was new."
                            ),
                        ),
                        ("reason", models.CharField(max_length=500)),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("changes", "Changes requested"),
                                    ("approved", "Approved"),
                                    ("withdrawn", "Withdrawn"),
                                ],
                                default="open",
                                max_length=10,
                            ),
                        ),
                        (
                            "requested_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("requested_by_name", models.CharField(max_length=200)),
                        ("requested_at", models.DateTimeField(default=console.core.clock.now)),
                        (
                            "decided_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("decided_by_name", models.CharField(blank=True, max_length=200)),
                        ("decided_at", models.DateTimeField(null=True)),
                        ("decision_note", models.CharField(blank=True, max_length=1000)),
                    ],
                    options={
                        "ordering": ["-requested_at"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("status__in", ["open", "changes"])),
                                fields=("prompt", "label"),
                                name="one_live_review_a_label",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ReviewComment",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "review",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="comments",
                                to="prompts.review",
                            ),
                        ),
                        ("message_index", models.PositiveSmallIntegerField(null=True)),
                        ("line", models.PositiveIntegerField(null=True)),
                        ("text", models.CharField(max_length=2000)),
                        (
                            "author",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("author_name", models.CharField(max_length=200)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["created_at"],
                    },
                ),
                migrations.CreateModel(
                    name="Draft",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "prompt",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="drafts",
                                to="prompts.prompt",
                            ),
                        ),
                        (
                            "person",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "base",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="prompts.promptversion",
                            ),
                        ),
                        ("content", models.JSONField(default=list)),
                        ("variables", models.JSONField(default=list)),
                        ("parameters", models.JSONField(default=dict)),
                        ("message", models.CharField(blank=True, max_length=500)),
                        ("about", models.JSONField(default=dict)),
                        ("changed_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("prompt", "person"), name="one_draft_per_person"),
                            models.UniqueConstraint(
                                condition=models.Q(("prompt", None)),
                                fields=("person",),
                                name="one_new_draft_per_person",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Waiver",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="waivers", to="prompts.prompt"
                            ),
                        ),
                        (
                            "partial",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="prompts.prompt"
                            ),
                        ),
                        ("reason", models.CharField(max_length=500)),
                        (
                            "given_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("given_by_name", models.CharField(max_length=200)),
                        ("given_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("prompt", "partial"), name="one_waiver_per_partial")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PromptUse",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="uses", to="prompts.prompt"
                            ),
                        ),
                        ("day", models.DateField()),
                        ("surface", models.CharField(max_length=20)),
                        ("number", models.PositiveIntegerField(help_text="Of the version.")),
                        ("calls", models.PositiveIntegerField(default=0)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("prompt", "day", "surface", "number"), name="one_use_row_per_day_and_cut"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="GitRemote",
                    fields=[
                        (
                            "id",
                            models.PositiveSmallIntegerField(
                                default=1, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("address", models.CharField(max_length=500)),
                        ("branch", models.CharField(default="main", max_length=100)),
                        ("username", models.CharField(blank=True, max_length=100)),
                        ("credential", models.TextField(blank=True)),
                        (
                            "host_key",
                            models.TextField(blank=True, help_text="Public key of an ssh host, as known_hosts has it."),
                        ),
                        ("syncs_on_publish", models.BooleanField(default=True)),
                        ("every_minutes", models.PositiveIntegerField(default=0, help_text="0: never by the clock.")),
                        ("wanted_at", models.DateTimeField(null=True)),
                        ("claimed_at", models.DateTimeField(null=True)),
                        ("connected_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(condition=models.Q(("id", 1)), name="one_connected_repository")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="GitCommit",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="git_commits",
                                to="prompts.prompt",
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="prompts.promptversion",
                            ),
                        ),
                        ("sha", models.CharField(max_length=40)),
                        ("blob", models.CharField(blank=True, max_length=40)),
                        (
                            "origin",
                            models.CharField(
                                choices=[
                                    ("export", "Written from the console"),
                                    ("import", "Read into the console"),
                                    ("kept", "Skipped: the console's text was kept"),
                                ],
                                max_length=6,
                            ),
                        ),
                        ("at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "indexes": [models.Index(fields=["sha"], name="prompts_of_a_commit")],
                        "constraints": [
                            models.UniqueConstraint(fields=("prompt", "sha"), name="one_row_per_prompt_and_commit")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="GitSync",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[("sync", "Sync"), ("import", "Import"), ("export", "Export")], max_length=6
                            ),
                        ),
                        ("source", models.CharField(max_length=500)),
                        ("actor_name", models.CharField(max_length=200)),
                        ("started_at", models.DateTimeField(default=console.core.clock.now)),
                        ("ended_at", models.DateTimeField(null=True)),
                        (
                            "outcome",
                            models.CharField(
                                choices=[
                                    ("running", "Running"),
                                    ("ok", "Done"),
                                    ("conflicts", "Conflicts"),
                                    ("refused", "Refused"),
                                    ("failed", "Failed"),
                                ],
                                default="running",
                                max_length=9,
                            ),
                        ),
                        ("sentence", models.CharField(blank=True, max_length=500)),
                        ("tip", models.CharField(blank=True, max_length=40)),
                        ("imported", models.PositiveIntegerField(default=0, help_text="Versions made from commits.")),
                        ("exported", models.PositiveIntegerField(default=0, help_text="Commits written.")),
                        ("labels", models.PositiveIntegerField(default=0, help_text="Labels moved in the repository.")),
                        ("conflicts", models.JSONField(default=list)),
                        ("problems", models.JSONField(default=list)),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="PromptKeyUse",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="key_uses",
                                to="prompts.prompt",
                            ),
                        ),
                        ("day", models.DateField()),
                        ("key_id", models.UUIDField()),
                        ("key", models.CharField(max_length=100)),
                        ("team_id", models.UUIDField(null=True)),
                        ("team", models.CharField(max_length=200)),
                        ("calls", models.PositiveIntegerField(default=0)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("prompt", "day", "key_id"), name="one_key_use_row_per_day_and_key"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PromptUseState",
                    fields=[
                        ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("next_tx", models.BigIntegerField(default=0)),
                        ("at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                ),
            ],
        ),
        migrations.RunSQL(_VERSIONS_NEVER_CHANGE, _LET_VERSIONS_CHANGE),
    ]
