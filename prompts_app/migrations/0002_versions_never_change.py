"""A version is written once: the database refuses to change or delete one, whoever asks."""

from django.db import migrations

DO = """
CREATE FUNCTION prompts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of a prompt is never changed or deleted' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER version_is_written_once BEFORE UPDATE OR DELETE ON prompts_promptversion
    FOR EACH ROW EXECUTE FUNCTION prompts_refuse_change();
CREATE TRIGGER versions_stay BEFORE TRUNCATE ON prompts_promptversion
    FOR EACH STATEMENT EXECUTE FUNCTION prompts_refuse_change();
"""
UNDO = """
DROP TRIGGER versions_stay ON prompts_promptversion;
DROP TRIGGER version_is_written_once ON prompts_promptversion;
DROP FUNCTION prompts_refuse_change;
"""


class Migration(migrations.Migration):
    dependencies = [("prompts", "0001_prompts_and_labels")]
    operations = [migrations.RunSQL(DO, UNDO)]
