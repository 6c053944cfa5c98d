"""Files of messages, without their large columns."""

from django.contrib.postgres.fields import ArrayField
from django.db.models import Func, JSONField, TextField, Value


def files_without(*keys: str) -> Func:
    """Read the files of each message without these of their keys, which stay in the database: megabytes, perhaps."""
    return Func(
        "attachments",
        Value(list(keys), output_field=ArrayField(TextField())),
        template="(SELECT coalesce(jsonb_agg(file - keys ORDER BY place), '[]')"
        " FROM (VALUES (%(expressions)s)) AS given(files, keys),"
        " jsonb_array_elements(files) WITH ORDINALITY AS one(file, place))",
        output_field=JSONField(),
    )
