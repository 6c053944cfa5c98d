"""A version is written once: the database refuses to change or delete one, whoever asks."""

from django.db import migrations

DO = """
CREATE FUNCTION knowledge_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of a document is never changed or deleted' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER version_is_written_once BEFORE UPDATE OR DELETE ON knowledge_documentversion
    FOR EACH ROW EXECUTE FUNCTION knowledge_refuse_change();
CREATE TRIGGER versions_stay BEFORE TRUNCATE ON knowledge_documentversion
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_refuse_change();
"""
UNDO = """
DROP TRIGGER versions_stay ON knowledge_documentversion;
DROP TRIGGER version_is_written_once ON knowledge_documentversion;
DROP FUNCTION knowledge_refuse_change;
"""


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0001_collections_and_documents")]
    operations = [migrations.RunSQL(DO, UNDO)]
