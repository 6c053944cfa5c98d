"""A version is written once: the database refuses to change or delete one, whoever asks."""

from django.db import migrations

DO = """
CREATE FUNCTION agents_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of an agent is never changed or deleted' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER version_is_written_once BEFORE UPDATE OR DELETE ON agents_agentversion
    FOR EACH ROW EXECUTE FUNCTION agents_refuse_change();
CREATE TRIGGER versions_stay BEFORE TRUNCATE ON agents_agentversion
    FOR EACH STATEMENT EXECUTE FUNCTION agents_refuse_change();
"""
UNDO = """
DROP TRIGGER versions_stay ON agents_agentversion;
DROP TRIGGER version_is_written_once ON agents_agentversion;
DROP FUNCTION agents_refuse_change;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0001_agents_and_versions")]
    operations = [migrations.RunSQL(DO, UNDO)]
