"""Agents, whose versions never change; their tools, runs and approvals; triggers and queues."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import console.core.clock
import console.core.ids
from console.core.operations import CreateModels

# A version is written once: the database refuses to change or delete one, whoever asks.
_VERSIONS_NEVER_CHANGE = """
CREATE FUNCTION agents_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of an agent is never changed or deleted' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER version_is_written_once BEFORE UPDATE OR DELETE ON agents_agentversion
    FOR EACH ROW EXECUTE FUNCTION agents_refuse_change();
CREATE TRIGGER versions_stay BEFORE TRUNCATE ON agents_agentversion
    FOR EACH STATEMENT EXECUTE FUNCTION agents_refuse_change();
"""
_LET_VERSIONS_CHANGE = """
DROP TRIGGER versions_stay ON agents_agentversion;
DROP TRIGGER version_is_written_once ON agents_agentversion;
DROP FUNCTION agents_refuse_change;
"""
# What is over stays over: the state of a run, a step or a decision that has ended never changes. What was read and said
# may be taken away, and nothing put in its place.
_ENDINGS_NEVER_CHANGE = """
CREATE FUNCTION agents_refuse_reopening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % is % and stays that', TG_ARGV[0], OLD.id, OLD.state USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER run_ends_once BEFORE UPDATE ON agents_run FOR EACH ROW
    WHEN (OLD.state IN ('succeeded', 'failed', 'cancelled')
          AND ((NEW.state, NEW.code) IS DISTINCT FROM (OLD.state, OLD.code)
               OR NEW.output IS DISTINCT FROM OLD.output AND NEW.output IS NOT NULL))
    EXECUTE FUNCTION agents_refuse_reopening('the run');
CREATE TRIGGER step_ends_once BEFORE UPDATE ON agents_step FOR EACH ROW
    WHEN (OLD.state IN ('done', 'failed', 'denied', 'cancelled')
          AND (NEW.state IS DISTINCT FROM OLD.state
               OR (NEW.arguments, NEW.output) IS DISTINCT FROM (OLD.arguments, OLD.output)
                   AND NOT (NEW.arguments IS NULL AND NEW.output IS NULL)))
    EXECUTE FUNCTION agents_refuse_reopening('the step');
CREATE TRIGGER approval_is_decided_once BEFORE UPDATE ON agents_approval FOR EACH ROW
    WHEN (OLD.state <> 'waiting'
          AND ((NEW.state, NEW.sha256) IS DISTINCT FROM (OLD.state, OLD.sha256)
               OR NEW.arguments IS DISTINCT FROM OLD.arguments AND NEW.arguments <> '{}'))
    EXECUTE FUNCTION agents_refuse_reopening('the approval');
"""
_LET_ENDINGS_CHANGE = """
DROP TRIGGER approval_is_decided_once ON agents_approval;
DROP TRIGGER step_ends_once ON agents_step;
DROP TRIGGER run_ends_once ON agents_run;
DROP FUNCTION agents_refuse_reopening;
"""


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("agents", "0001_agents_and_versions"),
        ("agents", "0002_versions_never_change"),
        ("agents", "0003_tools_runs_approvals_triggers_and_queues"),
        ("agents", "0004_grants_inputs_and_pinned_prompts"),
        ("agents", "0005_endings_never_change"),
        ("agents", "0006_notes_of_runs_and_receipts_of_items"),
        ("agents", "0007_waits_that_do_not_count"),
        ("agents", "0008_questions_about_runs"),
        ("agents", "0009_who_was_told"),
        ("agents", "0010_what_runs_take_over_and_call"),
        ("agents", "0011_queues_outside"),
        ("agents", "0012_who_set_triggers_up"),
        ("agents", "0013_what_runs_forget"),
        ("agents", "0014_who_put_an_item"),
    ]

    dependencies = [
        # For speed alone: each step of these makes every model anew that is related to people, and here are few yet.
        ("guardian", "0003_remove_groupobjectpermission_guardian_gr_content_ae6aec_idx_and_more"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
        ("usersessions", "0001_initial"),
        ("teams", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Agent",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("slug", models.SlugField(max_length=60)),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="agents", to="teams.team"
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("description", models.CharField(blank=True, max_length=300)),
                        (
                            "audience",
                            models.CharField(
                                choices=[
                                    ("team", "Its team"),
                                    ("teams", "Chosen teams"),
                                    ("organisation", "Everybody"),
                                ],
                                default="team",
                                max_length=12,
                            ),
                        ),
                        (
                            "live",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="agents.agentversion",
                            ),
                        ),
                        ("revision", models.PositiveIntegerField(default=1)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("archived_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "shared_with",
                            models.ManyToManyField(
                                blank=True,
                                help_text="With the audience `teams`: which ones besides its own.",
                                related_name="+",
                                to="teams.team",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["name"],
                        "indexes": [models.Index(fields=["team", "name"], name="agents_of_a_team")],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("archived_at", None)),
                                fields=("slug",),
                                name="one_living_agent_per_slug",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AgentDraft",
                    fields=[
                        ("prompt_slug", models.CharField(blank=True, max_length=200)),
                        (
                            "prompt_label",
                            models.CharField(
                                blank=True, help_text="Empty: by number, or by the environment.", max_length=40
                            ),
                        ),
                        ("prompt_number", models.PositiveIntegerField(blank=True, null=True)),
                        (
                            "prompt_variables",
                            models.JSONField(
                                blank=True, default=dict, help_text="Values for what the prompt declares."
                            ),
                        ),
                        ("alias", models.CharField(max_length=100)),
                        ("parameters", models.JSONField(blank=True, default=dict)),
                        ("limits", models.JSONField(blank=True, default=dict)),
                        ("opening_message", models.TextField(blank=True, max_length=2000)),
                        (
                            "suggested_questions",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=200), blank=True, default=list, size=None
                            ),
                        ),
                        ("knowledge", models.JSONField(blank=True, default=list)),
                        ("grants", models.JSONField(blank=True, default=list)),
                        ("output_schema", models.JSONField(blank=True, null=True)),
                        (
                            "input_schema",
                            models.JSONField(
                                blank=True, help_text="Of what a run is given; without it a message.", null=True
                            ),
                        ),
                        (
                            "agent",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="draft",
                                serialize=False,
                                to="agents.agent",
                            ),
                        ),
                        (
                            "base",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="agents.agentversion",
                            ),
                        ),
                        ("revision", models.PositiveIntegerField(default=1)),
                        ("changed_by_name", models.CharField(blank=True, max_length=200)),
                        ("changed_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "abstract": False,
                    },
                ),
                migrations.CreateModel(
                    name="AgentVersion",
                    fields=[
                        ("prompt_slug", models.CharField(blank=True, max_length=200)),
                        (
                            "prompt_label",
                            models.CharField(
                                blank=True, help_text="Empty: by number, or by the environment.", max_length=40
                            ),
                        ),
                        ("prompt_number", models.PositiveIntegerField(blank=True, null=True)),
                        (
                            "prompt_variables",
                            models.JSONField(
                                blank=True, default=dict, help_text="Values for what the prompt declares."
                            ),
                        ),
                        ("alias", models.CharField(max_length=100)),
                        ("parameters", models.JSONField(blank=True, default=dict)),
                        ("limits", models.JSONField(blank=True, default=dict)),
                        ("opening_message", models.TextField(blank=True, max_length=2000)),
                        (
                            "suggested_questions",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=200), blank=True, default=list, size=None
                            ),
                        ),
                        ("knowledge", models.JSONField(blank=True, default=list)),
                        ("grants", models.JSONField(blank=True, default=list)),
                        ("output_schema", models.JSONField(blank=True, null=True)),
                        (
                            "input_schema",
                            models.JSONField(
                                blank=True, help_text="Of what a run is given; without it a message.", null=True
                            ),
                        ),
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="agents.agent"
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("message", models.CharField(blank=True, max_length=500)),
                        ("author_id", models.UUIDField(null=True)),
                        ("author_name", models.CharField(max_length=200)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["-number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("agent", "number"), name="one_agent_version_per_number")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AgentMove",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="moves", to="agents.agent"
                            ),
                        ),
                        (
                            "from_version",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="agents.agentversion",
                            ),
                        ),
                        (
                            "to_version",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="agents.agentversion",
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
                    },
                ),
                migrations.CreateModel(
                    name="ToolServer",
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
                                related_name="tool_servers",
                                to="teams.team",
                            ),
                        ),
                        ("slug", models.SlugField(max_length=40)),
                        ("name", models.CharField(max_length=80)),
                        (
                            "transport",
                            models.CharField(
                                choices=[("http", "Streamable HTTP"), ("stdio", "A program of the deployment")],
                                default="http",
                                max_length=5,
                            ),
                        ),
                        ("address", models.CharField(max_length=500)),
                        ("secret", models.TextField(blank=True, help_text="Encrypted; sent as a bearer token.")),
                        ("found", models.JSONField(blank=True, default=list)),
                        ("is_enabled", models.BooleanField(default=True)),
                        ("trouble", models.CharField(blank=True, max_length=500)),
                        ("checked_at", models.DateTimeField(blank=True, null=True)),
                        ("revision", models.PositiveIntegerField(default=1)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("deleted_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "ordering": ["name"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("deleted_at", None)),
                                fields=("team", "slug"),
                                name="one_tool_server_per_slug",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Tool",
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
                                on_delete=django.db.models.deletion.PROTECT, related_name="tools", to="teams.team"
                            ),
                        ),
                        ("slug", models.CharField(help_text="What the model calls it.", max_length=64)),
                        ("name", models.CharField(max_length=80)),
                        ("kind", models.CharField(max_length=20)),
                        ("description", models.TextField(max_length=2000)),
                        ("parameters", models.JSONField(default=dict, help_text="JSON schema of the arguments.")),
                        ("config", models.JSONField(blank=True, default=dict)),
                        ("secret", models.TextField(blank=True, help_text="Encrypted.")),
                        (
                            "server",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="tools",
                                to="agents.toolserver",
                            ),
                        ),
                        (
                            "effect",
                            models.CharField(
                                choices=[("read", "Only reads"), ("write", "Changes something")],
                                default="write",
                                max_length=5,
                            ),
                        ),
                        (
                            "is_idempotent",
                            models.BooleanField(
                                default=False, help_text="Calling it twice with one key does no more than once."
                            ),
                        ),
                        ("timeout_seconds", models.PositiveSmallIntegerField(default=30)),
                        (
                            "most_bytes",
                            models.PositiveIntegerField(
                                default=65536, help_text="Of a result; more is cut, and said to be."
                            ),
                        ),
                        ("digest", models.CharField(blank=True, max_length=64)),
                        (
                            "suspended",
                            models.CharField(
                                blank=True, help_text="Why nobody may call it until it is reviewed.", max_length=500
                            ),
                        ),
                        ("is_enabled", models.BooleanField(default=True)),
                        ("revision", models.PositiveIntegerField(default=1)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("deleted_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "ordering": ["slug"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("deleted_at", None)),
                                fields=("team", "slug"),
                                name="one_tool_per_slug",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Run",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="agents.agent"
                            ),
                        ),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="teams.team"
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="runs",
                                to="agents.agentversion",
                            ),
                        ),
                        ("definition", models.JSONField(blank=True, null=True)),
                        ("prompt", models.JSONField(blank=True, null=True)),
                        ("environment", models.CharField(max_length=10)),
                        ("title", models.CharField(blank=True, max_length=120)),
                        ("input", models.JSONField(default=dict)),
                        ("output", models.JSONField(blank=True, null=True)),
                        ("actor_kind", models.CharField(max_length=10)),
                        ("actor_id", models.UUIDField(null=True)),
                        ("actor_name", models.CharField(max_length=200)),
                        ("client_address", models.CharField(blank=True, max_length=45)),
                        (
                            "trigger",
                            models.CharField(
                                choices=[
                                    ("console", "Console"),
                                    ("api", "API"),
                                    ("chat", "Chat completion"),
                                    ("schedule", "Schedule"),
                                    ("webhook", "Webhook"),
                                    ("queue", "Queue"),
                                    ("try_out", "Try-out of a draft"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("trigger_name", models.CharField(blank=True, max_length=200)),
                        ("set_up_by_id", models.UUIDField(null=True)),
                        ("dedupe_key", models.CharField(blank=True, max_length=300, null=True, unique=True)),
                        (
                            "parent",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="reruns",
                                to="agents.run",
                            ),
                        ),
                        (
                            "parent_step",
                            models.PositiveIntegerField(
                                blank=True, help_text="The first step that was done anew.", null=True
                            ),
                        ),
                        (
                            "called_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="called",
                                to="agents.run",
                            ),
                        ),
                        ("depth", models.PositiveSmallIntegerField(default=0)),
                        (
                            "is_simulated",
                            models.BooleanField(default=False, help_text="Tools answer what people say they would."),
                        ),
                        (
                            "is_step_by_step",
                            models.BooleanField(default=False, help_text="Waits for a person before each step."),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("queued", "Queued"),
                                    ("running", "Running"),
                                    ("waiting", "Waiting"),
                                    ("cancelling", "Cancelling"),
                                    ("succeeded", "Succeeded"),
                                    ("failed", "Failed"),
                                    ("cancelled", "Cancelled"),
                                ],
                                default="queued",
                                max_length=10,
                            ),
                        ),
                        ("waits_for", models.CharField(blank=True, max_length=200)),
                        ("code", models.CharField(blank=True, max_length=60)),
                        ("trouble", models.CharField(blank=True, max_length=1000)),
                        ("limits", models.JSONField(default=dict, help_text="Those of the version when it began.")),
                        ("steps_done", models.PositiveIntegerField(default=0)),
                        ("model_calls", models.PositiveIntegerField(default=0)),
                        ("tool_calls", models.PositiveIntegerField(default=0)),
                        ("tokens", models.PositiveBigIntegerField(default=0)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        (
                            "attempts",
                            models.PositiveSmallIntegerField(default=0, help_text="Claims since a step last ended."),
                        ),
                        ("fence", models.PositiveIntegerField(default=0)),
                        ("worker", models.CharField(blank=True, max_length=100)),
                        ("lease_until", models.DateTimeField(blank=True, null=True)),
                        ("wake_at", models.DateTimeField(blank=True, null=True)),
                        ("ends_by", models.DateTimeField(blank=True, null=True)),
                        (
                            "waiting_since",
                            models.DateTimeField(blank=True, help_text="Time that does not count.", null=True),
                        ),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("started_at", models.DateTimeField(blank=True, null=True)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "forgotten_at",
                            models.DateTimeField(
                                blank=True, help_text="When what it read and said was removed.", null=True
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-created_at", "-id"],
                        "indexes": [
                            models.Index(fields=["team", "-created_at"], name="runs_of_a_team"),
                            models.Index(fields=["agent", "-created_at"], name="runs_of_an_agent"),
                            models.Index(
                                condition=models.Q(("state__in", ["queued", "running", "cancelling", "waiting"])),
                                fields=["wake_at", "lease_until"],
                                name="runs_to_advance",
                            ),
                            models.Index(
                                condition=models.Q(("ended_at__isnull", False), ("forgotten_at__isnull", True)),
                                fields=["ended_at"],
                                name="runs_to_forget",
                            ),
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("version__isnull", False), ("definition__isnull", False), _connector="OR"
                                ),
                                name="run_has_a_definition",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Step",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="steps", to="agents.run"
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        (
                            "turn",
                            models.PositiveIntegerField(
                                help_text="The model's answer and the calls it asked for share one."
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("model", "Model"),
                                    ("tool", "Tool"),
                                    ("wait", "Wait"),
                                    ("compaction", "Compaction"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("planned", "Planned"),
                                    ("waiting", "Waiting"),
                                    ("intended", "Intended"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                    ("denied", "Denied"),
                                    ("unknown", "Unknown"),
                                    ("cancelled", "Cancelled"),
                                ],
                                default="planned",
                                max_length=9,
                            ),
                        ),
                        (
                            "tool",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="agents.tool",
                            ),
                        ),
                        ("tool_name", models.CharField(blank=True, help_text="As the model wrote it.", max_length=200)),
                        ("call_id", models.CharField(blank=True, max_length=200)),
                        ("arguments", models.JSONField(blank=True, null=True)),
                        ("decisions", models.JSONField(blank=True, default=list)),
                        ("output", models.JSONField(blank=True, null=True)),
                        ("is_error", models.BooleanField(default=False)),
                        ("trouble", models.CharField(blank=True, max_length=1000)),
                        ("note", models.CharField(blank=True, help_text="One line for the trace.", max_length=200)),
                        ("idempotency_key", models.UUIDField(default=console.core.ids.uuid7, editable=False)),
                        ("request_id", models.UUIDField(blank=True, null=True)),
                        ("model", models.CharField(blank=True, max_length=270)),
                        ("prompt_tokens", models.PositiveIntegerField(default=0)),
                        ("completion_tokens", models.PositiveIntegerField(default=0)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        ("fence", models.PositiveIntegerField(default=0)),
                        ("attempts", models.PositiveSmallIntegerField(default=0)),
                        (
                            "is_taken_over",
                            models.BooleanField(
                                default=False,
                                help_text="Done by the run this one repeats, at the same number; nothing of it was done again.",
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("intended_at", models.DateTimeField(blank=True, null=True)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "ordering": ["number"],
                        "constraints": [models.UniqueConstraint(fields=("run", "number"), name="one_step_per_number")],
                    },
                ),
                migrations.CreateModel(
                    name="Approval",
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
                                on_delete=django.db.models.deletion.PROTECT, related_name="approvals", to="teams.team"
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="approvals", to="agents.run"
                            ),
                        ),
                        (
                            "step",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="approvals", to="agents.step"
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("call", "May the agent do this?"),
                                    ("question", "The agent asks"),
                                    ("outcome", "What happened?"),
                                    ("step", "Continue a try-out"),
                                ],
                                default="call",
                                max_length=8,
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waiting"),
                                    ("approved", "Approved"),
                                    ("rejected", "Rejected"),
                                    ("expired", "Expired"),
                                    ("cancelled", "Cancelled"),
                                ],
                                default="waiting",
                                max_length=9,
                            ),
                        ),
                        ("tool_name", models.CharField(blank=True, max_length=200)),
                        (
                            "arguments",
                            models.JSONField(default=dict, help_text="All of them; what is approved is exactly this."),
                        ),
                        ("sha256", models.CharField(max_length=64)),
                        (
                            "editable",
                            models.JSONField(
                                blank=True, default=list, help_text="Names of arguments the person may change."
                            ),
                        ),
                        (
                            "is_for_others",
                            models.BooleanField(default=False, help_text="Whoever started the run may not decide."),
                        ),
                        ("rule", models.CharField(blank=True, max_length=120)),
                        ("reason", models.TextField(blank=True, help_text="What the agent said it wants this for.")),
                        ("form", models.JSONField(blank=True, null=True)),
                        ("answer", models.JSONField(blank=True, null=True)),
                        ("cost_micros", models.BigIntegerField(default=0, help_text="Of the run so far.")),
                        ("expires_at", models.DateTimeField()),
                        (
                            "told_at",
                            models.DateTimeField(
                                blank=True, help_text="When people were last told by mail.", null=True
                            ),
                        ),
                        ("escalate_at", models.DateTimeField(blank=True, null=True)),
                        ("escalated_at", models.DateTimeField(blank=True, null=True)),
                        ("message", models.CharField(blank=True, help_text="To the agent.", max_length=1000)),
                        (
                            "decided_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("decided_by_name", models.CharField(blank=True, max_length=200)),
                        ("decided_at", models.DateTimeField(blank=True, null=True)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "ordering": ["expires_at"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state", "waiting")),
                                fields=["team", "expires_at"],
                                name="approvals_waiting",
                            ),
                            models.Index(fields=["team", "-decided_at"], name="approvals_decided"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("state", "waiting")),
                                fields=("step",),
                                name="one_open_approval_per_step",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Trigger",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="triggers", to="agents.agent"
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[("schedule", "Schedule"), ("webhook", "Webhook"), ("queue", "Queue")],
                                max_length=8,
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("config", models.JSONField(default=dict)),
                        ("secret", models.TextField(blank=True, help_text="Encrypted: what a webhook is signed with.")),
                        ("environment", models.CharField(default="production", max_length=10)),
                        (
                            "owner",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("owner_name", models.CharField(max_length=200)),
                        (
                            "set_up_by",
                            models.ForeignKey(
                                blank=True,
                                help_text="Who last said what it starts and how, or answers for the key that did.",
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("is_enabled", models.BooleanField(default=True)),
                        ("next_at", models.DateTimeField(blank=True, null=True)),
                        ("last_at", models.DateTimeField(blank=True, null=True)),
                        ("trouble", models.CharField(blank=True, max_length=500)),
                        ("revision", models.PositiveIntegerField(default=1)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "ordering": ["name"],
                        "indexes": [models.Index(fields=["next_at"], name="triggers_due")],
                    },
                ),
                migrations.CreateModel(
                    name="Firing",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "trigger",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="firings", to="agents.trigger"
                            ),
                        ),
                        ("key", models.CharField(max_length=200)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("trying", "Trying"),
                                    ("started", "Started"),
                                    ("skipped", "Skipped"),
                                    ("refused", "Refused"),
                                    ("parked", "Parked"),
                                    ("dropped", "Dropped"),
                                ],
                                default="started",
                                max_length=7,
                            ),
                        ),
                        ("trouble", models.CharField(blank=True, max_length=500)),
                        ("attempts", models.PositiveSmallIntegerField(default=1)),
                        ("body", models.JSONField(blank=True, help_text="Kept of a parked message.", null=True)),
                        ("correlation_id", models.CharField(blank=True, db_default="", max_length=255)),
                        (
                            "is_plain",
                            models.BooleanField(
                                db_default=False,
                                default=False,
                                help_text="On Redis: it came as JSON itself, without an envelope.",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="agents.run",
                            ),
                        ),
                        ("at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["-at"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state", "parked")), fields=["trigger", "at"], name="firings_parked"
                            )
                        ],
                        "constraints": [models.UniqueConstraint(fields=("trigger", "key"), name="one_firing_per_key")],
                    },
                ),
                migrations.CreateModel(
                    name="Broker",
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
                                on_delete=django.db.models.deletion.PROTECT, related_name="brokers", to="teams.team"
                            ),
                        ),
                        ("slug", models.SlugField(max_length=40)),
                        ("name", models.CharField(max_length=80)),
                        ("address", models.CharField(max_length=500)),
                        ("secret", models.TextField(help_text="Encrypted: the address with its password.")),
                        ("checked_at", models.DateTimeField(blank=True, null=True)),
                        ("trouble", models.CharField(blank=True, max_length=500)),
                        ("revision", models.PositiveIntegerField(default=1)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "ordering": ["name"],
                        "constraints": [models.UniqueConstraint(fields=("team", "slug"), name="one_broker_per_slug")],
                    },
                ),
                migrations.CreateModel(
                    name="Reader",
                    fields=[
                        (
                            "trigger",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="reader",
                                serialize=False,
                                to="agents.trigger",
                            ),
                        ),
                        ("holder", models.UUIDField(blank=True, null=True)),
                        ("lease_until", models.DateTimeField(blank=True, null=True)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("starting", "Starting"),
                                    ("reading", "Reading"),
                                    ("waiting", "Waiting"),
                                    ("trouble", "Trouble"),
                                ],
                                default="starting",
                                max_length=8,
                            ),
                        ),
                        (
                            "said",
                            models.CharField(blank=True, help_text="Why it waits, or what is wrong.", max_length=500),
                        ),
                        ("since", models.DateTimeField(default=console.core.clock.now)),
                        ("last_message_at", models.DateTimeField(blank=True, null=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="Outgoing",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "broker",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="outgoing", to="agents.broker"
                            ),
                        ),
                        (
                            "firing",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="outgoing",
                                to="agents.firing",
                            ),
                        ),
                        ("kind", models.CharField(choices=[("result", "Result"), ("parked", "Parked")], max_length=6)),
                        (
                            "run",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="outgoing",
                                to="agents.run",
                            ),
                        ),
                        ("queue", models.CharField(max_length=255)),
                        ("correlation_id", models.CharField(blank=True, max_length=255)),
                        ("body", models.BinaryField(blank=True, help_text="Of a message set aside: as it came.")),
                        ("headers", models.JSONField(default=dict)),
                        (
                            "is_plain",
                            models.BooleanField(
                                default=False, help_text="On Redis: the JSON itself, without an envelope."
                            ),
                        ),
                        ("attempts", models.PositiveIntegerField(default=0)),
                        ("not_before", models.DateTimeField(default=console.core.clock.now)),
                        ("trouble", models.CharField(blank=True, max_length=500)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("sent_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("sent_at", None)), fields=["not_before"], name="outgoing_to_send"
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("firing", "kind"), name="one_outgoing_per_firing")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RunNote",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="notes", to="agents.run"
                            ),
                        ),
                        ("name", models.CharField(max_length=100)),
                        ("text", models.TextField()),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                        "constraints": [models.UniqueConstraint(fields=("run", "name"), name="one_note_per_name")],
                    },
                ),
                migrations.CreateModel(
                    name="RunQuestion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="questions", to="agents.run"
                            ),
                        ),
                        (
                            "asked_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("asked_by_name", models.CharField(max_length=200)),
                        ("question", models.TextField(max_length=4000)),
                        ("answer", models.TextField(blank=True)),
                        ("model", models.CharField(blank=True, max_length=270)),
                        ("request_id", models.UUIDField(null=True)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                        "indexes": [models.Index(fields=["run", "created_at"], name="questions_about_a_run")],
                    },
                ),
                migrations.CreateModel(
                    name="Queue",
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
                                on_delete=django.db.models.deletion.PROTECT, related_name="queues", to="teams.team"
                            ),
                        ),
                        ("slug", models.SlugField(max_length=60)),
                        ("name", models.CharField(max_length=80)),
                        ("description", models.CharField(blank=True, max_length=300)),
                        (
                            "lease_seconds",
                            models.PositiveIntegerField(
                                default=300, help_text="How long a taken item is nobody else's."
                            ),
                        ),
                        ("most_attempts", models.PositiveSmallIntegerField(default=5)),
                        ("keep_days", models.PositiveSmallIntegerField(default=30)),
                        (
                            "secret",
                            models.TextField(
                                blank=True,
                                db_default="",
                                help_text="Encrypted: what results are signed with that are sent somewhere.",
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("archived_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "ordering": ["name"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("archived_at", None)),
                                fields=("team", "slug"),
                                name="one_queue_per_slug",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="QueueItem",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "queue",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="items", to="agents.queue"
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("ready", "Ready"),
                                    ("taken", "Taken"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                    ("parked", "Parked"),
                                ],
                                default="ready",
                                max_length=6,
                            ),
                        ),
                        ("body", models.JSONField()),
                        ("dedupe_id", models.CharField(blank=True, max_length=200, null=True)),
                        ("result", models.JSONField(blank=True, null=True)),
                        ("trouble", models.CharField(blank=True, max_length=500)),
                        ("callback_url", models.CharField(blank=True, max_length=500)),
                        ("called_back_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "callbacks",
                            models.PositiveSmallIntegerField(
                                db_default=0, default=0, help_text="How often it was tried to call back."
                            ),
                        ),
                        (
                            "call_back_at",
                            models.DateTimeField(
                                blank=True, help_text="When it is tried; never when empty.", null=True
                            ),
                        ),
                        ("callback_trouble", models.CharField(blank=True, db_default="", max_length=500)),
                        ("attempts", models.PositiveSmallIntegerField(default=0)),
                        ("fence", models.PositiveIntegerField(default=0)),
                        ("receipt", models.UUIDField(blank=True, null=True)),
                        ("lease_until", models.DateTimeField(blank=True, null=True)),
                        ("not_before", models.DateTimeField(blank=True, null=True)),
                        (
                            "run",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="queue_items",
                                to="agents.run",
                            ),
                        ),
                        ("put_by_name", models.CharField(max_length=200)),
                        (
                            "put_by_id",
                            models.UUIDField(
                                help_text="The key that did: who answers for it asked for what follows.", null=True
                            ),
                        ),
                        (
                            "put_by_run",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="agents.run",
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state__in", ["ready", "taken"])),
                                fields=["queue", "created_at"],
                                name="items_to_take",
                            ),
                            models.Index(
                                condition=models.Q(("call_back_at__isnull", False)),
                                fields=["call_back_at"],
                                name="items_to_call_back",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("queue", "dedupe_id"), name="one_item_per_dedupe_id")
                        ],
                    },
                ),
            ],
        ),
        migrations.RunSQL(_VERSIONS_NEVER_CHANGE, _LET_VERSIONS_CHANGE),
        migrations.RunSQL(_ENDINGS_NEVER_CHANGE, _LET_ENDINGS_CHANGE),
    ]
