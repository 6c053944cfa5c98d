"""Let what runs read and said be forgotten as the log forgets content, and find the runs whose time has come."""

from django.db import migrations, models

# As before, what has ended never changes; but what was read and said may be taken away, and nothing put in its place.
_GUARDS = """
DROP TRIGGER run_ends_once ON agents_run;
CREATE TRIGGER run_ends_once BEFORE UPDATE ON agents_run FOR EACH ROW
    WHEN (OLD.state IN ('succeeded', 'failed', 'cancelled')
          AND ((NEW.state, NEW.code) IS DISTINCT FROM (OLD.state, OLD.code)
               OR NEW.output IS DISTINCT FROM OLD.output{run}))
    EXECUTE FUNCTION agents_refuse_reopening('the run');
DROP TRIGGER step_ends_once ON agents_step;
CREATE TRIGGER step_ends_once BEFORE UPDATE ON agents_step FOR EACH ROW
    WHEN (OLD.state IN ('done', 'failed', 'denied', 'cancelled')
          AND (NEW.state IS DISTINCT FROM OLD.state
               OR (NEW.arguments, NEW.output) IS DISTINCT FROM (OLD.arguments, OLD.output){step}))
    EXECUTE FUNCTION agents_refuse_reopening('the step');
DROP TRIGGER approval_is_decided_once ON agents_approval;
CREATE TRIGGER approval_is_decided_once BEFORE UPDATE ON agents_approval FOR EACH ROW
    WHEN (OLD.state <> 'waiting'
          AND ((NEW.state, NEW.sha256) IS DISTINCT FROM (OLD.state, OLD.sha256)
               OR NEW.arguments IS DISTINCT FROM OLD.arguments{approval}))
    EXECUTE FUNCTION agents_refuse_reopening('the approval');
"""
_FORGETTING = {
    "run": " AND NEW.output IS NOT NULL",
    "step": " AND NOT (NEW.arguments IS NULL AND NEW.output IS NULL)",
    "approval": " AND NEW.arguments <> '{}'",
}
_NEVER = dict.fromkeys(_FORGETTING, "")


class Migration(migrations.Migration):
    dependencies = [("agents", "0012_who_set_triggers_up")]
    operations = [
        migrations.RunSQL(_GUARDS.format(**_FORGETTING), _GUARDS.format(**_NEVER)),
        migrations.AddField(
            model_name="run",
            name="forgotten_at",
            field=models.DateTimeField(blank=True, help_text="When what it read and said was removed.", null=True),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", False), ("forgotten_at__isnull", True)),
                fields=["ended_at"],
                name="runs_to_forget",
            ),
        ),
    ]
