"""What is over stays over: the database refuses to change the state of a run, a step or a decision that has ended."""

from django.db import migrations

DO = """
CREATE FUNCTION agents_refuse_reopening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % is % and stays that', TG_ARGV[0], OLD.id, OLD.state USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER run_ends_once BEFORE UPDATE ON agents_run FOR EACH ROW
    WHEN (OLD.state IN ('succeeded', 'failed', 'cancelled')
          AND (NEW.state, NEW.code, NEW.output) IS DISTINCT FROM (OLD.state, OLD.code, OLD.output))
    EXECUTE FUNCTION agents_refuse_reopening('the run');
CREATE TRIGGER step_ends_once BEFORE UPDATE ON agents_step FOR EACH ROW
    WHEN (OLD.state IN ('done', 'failed', 'denied', 'cancelled')
          AND (NEW.state, NEW.arguments, NEW.output) IS DISTINCT FROM (OLD.state, OLD.arguments, OLD.output))
    EXECUTE FUNCTION agents_refuse_reopening('the step');
CREATE TRIGGER approval_is_decided_once BEFORE UPDATE ON agents_approval FOR EACH ROW
    WHEN (OLD.state <> 'waiting'
          AND (NEW.state, NEW.arguments, NEW.sha256) IS DISTINCT FROM (OLD.state, OLD.arguments, OLD.sha256))
    EXECUTE FUNCTION agents_refuse_reopening('the approval');
"""
UNDO = """
DROP TRIGGER approval_is_decided_once ON agents_approval;
DROP TRIGGER step_ends_once ON agents_step;
DROP TRIGGER run_ends_once ON agents_run;
DROP FUNCTION agents_refuse_reopening;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0004_grants_inputs_and_pinned_prompts")]
    operations = [migrations.RunSQL(DO, UNDO)]
