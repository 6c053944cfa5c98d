"""Collections of documents, whose versions never change, and their passages with words and vectors."""

from typing import Any

import django.contrib.postgres.search
import django.db.models.deletion
from django.core.management.base import CommandError
from django.db import DatabaseError, migrations, models, transaction

import console.core.clock
import console.core.ids
import console.knowledge.fields
from console.core.operations import CreateModels

# A version is written once: the database refuses to change or delete one, whoever asks.
_VERSIONS_NEVER_CHANGE = """
CREATE FUNCTION knowledge_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of a document is never changed or deleted' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER version_is_written_once BEFORE UPDATE OR DELETE ON knowledge_documentversion
    FOR EACH ROW EXECUTE FUNCTION knowledge_refuse_change();
CREATE TRIGGER versions_stay BEFORE TRUNCATE ON knowledge_documentversion
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_refuse_change();
"""
_LET_VERSIONS_CHANGE = """
DROP TRIGGER versions_stay ON knowledge_documentversion;
DROP TRIGGER version_is_written_once ON knowledge_documentversion;
DROP FUNCTION knowledge_refuse_change;
"""


def make_extension(apps: Any, schema_editor: Any) -> None:
    """Make pgvector's extension, or say what an administrator has to do."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'")
        if cursor.fetchone():
            return
        try:
            with transaction.atomic():
                cursor.execute("CREATE EXTENSION vector")
        except DatabaseError as error:
            raise CommandError(
                "Knowledge keeps vectors with pgvector, and this PostgreSQL has no extension `vector` that may be made"
                f" ({str(error).splitlines()[0]}). Install pgvector 0.5 or newer on the database server, have an"
                " administrator say `CREATE EXTENSION vector;` in this database, and migrate again."
            ) from None


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("knowledge", "0001_collections_and_documents"),
        ("knowledge", "0002_versions_never_change"),
        ("knowledge", "0003_searches_read_collections_whole"),
        ("knowledge", "0004_failed_tries_are_counted"),
    ]

    dependencies = [
        ("catalog", "0001_initial"),
        ("teams", "0001_initial"),
    ]

    operations = [
        # Going back leaves it: others may use it by then.
        migrations.RunPython(make_extension, migrations.RunPython.noop),
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Collection",
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
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="collections",
                                to="teams.team",
                            ),
                        ),
                        ("slug", models.CharField(max_length=64)),
                        ("name", models.CharField(max_length=80)),
                        ("description", models.CharField(blank=True, max_length=300)),
                        (
                            "language",
                            models.CharField(
                                choices=[
                                    ("simple", "Any language, no stemming"),
                                    ("english", "English"),
                                    ("german", "German"),
                                    ("french", "French"),
                                    ("spanish", "Spanish"),
                                    ("italian", "Italian"),
                                    ("portuguese", "Portuguese"),
                                    ("dutch", "Dutch"),
                                    ("swedish", "Swedish"),
                                    ("danish", "Danish"),
                                    ("norwegian", "Norwegian"),
                                    ("finnish", "Finnish"),
                                    ("russian", "Russian"),
                                    ("turkish", "Turkish"),
                                ],
                                default="english",
                                max_length=20,
                            ),
                        ),
                        (
                            "model",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="catalog.modelversion",
                            ),
                        ),
                        (
                            "payer",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="teams.team",
                            ),
                        ),
                        ("revision", models.PositiveIntegerField(default=1, help_text="Grows with every change.")),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("deleted_at", models.DateTimeField(blank=True, null=True)),
                        ("held_until", models.DateTimeField(editable=False, null=True)),
                        ("retry_at", models.DateTimeField(editable=False, null=True)),
                        ("problem", models.CharField(blank=True, editable=False, max_length=500)),
                        ("failures", models.PositiveSmallIntegerField(default=0, editable=False)),
                    ],
                    options={
                        "ordering": ["name", "id"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("deleted_at", None)),
                                fields=("team", "slug"),
                                name="one_living_collection_per_slug",
                                nulls_distinct=False,
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("model", None), ("payer__isnull", False), _connector="OR"),
                                name="somebody_pays_for_a_collections_vectors",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Document",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "collection",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="documents",
                                to="knowledge.collection",
                            ),
                        ),
                        ("name", models.CharField(max_length=120)),
                        (
                            "current",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="knowledge.documentversion",
                            ),
                        ),
                        (
                            "newest",
                            models.PositiveIntegerField(default=0, help_text="The number of its newest version."),
                        ),
                        ("revision", models.PositiveIntegerField(default=1, help_text="Grows with every change.")),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("changed_at", models.DateTimeField(default=console.core.clock.now)),
                        ("deleted_at", models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        "ordering": ["name", "id"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("deleted_at", None)),
                                fields=("collection", "name"),
                                name="one_living_document_per_name",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DocumentVersion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "document",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="versions",
                                to="knowledge.document",
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("text", models.TextField()),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("text", "Text"),
                                    ("markdown", "Markdown"),
                                    ("html", "Web page"),
                                    ("pdf", "PDF"),
                                ],
                                default="markdown",
                                max_length=8,
                            ),
                        ),
                        (
                            "source_name",
                            models.CharField(blank=True, help_text="The file it came from.", max_length=120),
                        ),
                        ("sha256", models.CharField(max_length=64)),
                        ("characters", models.PositiveIntegerField()),
                        ("passages_made", models.PositiveIntegerField()),
                        ("message", models.CharField(blank=True, max_length=500)),
                        ("author_id", models.UUIDField(null=True)),
                        ("author_name", models.CharField(max_length=200)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["-number"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("document", "number"), name="one_document_version_per_number"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Passage",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="passages",
                                to="knowledge.documentversion",
                            ),
                        ),
                        ("position", models.PositiveIntegerField()),
                        ("title", models.CharField(max_length=120)),
                        ("heading", models.CharField(blank=True, max_length=300)),
                        ("text", models.TextField()),
                        ("language", console.knowledge.fields.RegConfig(max_length=20)),
                        (
                            "words",
                            models.GeneratedField(
                                db_persist=True,
                                expression=django.contrib.postgres.search.CombinedSearchVector(
                                    django.contrib.postgres.search.CombinedSearchVector(
                                        django.contrib.postgres.search.SearchVector(
                                            "title", config=models.F("language"), weight="A"
                                        ),
                                        "||",
                                        django.contrib.postgres.search.SearchVector(
                                            "heading", config=models.F("language"), weight="B"
                                        ),
                                        django.contrib.postgres.search.SearchConfig(models.F("language")),
                                    ),
                                    "||",
                                    django.contrib.postgres.search.SearchVector(
                                        "text", config=models.F("language"), weight="C"
                                    ),
                                    django.contrib.postgres.search.SearchConfig(models.F("language")),
                                ),
                                output_field=django.contrib.postgres.search.SearchVectorField(),
                            ),
                        ),
                        ("embedding", console.knowledge.fields.Vector(editable=False, null=True)),
                    ],
                    options={
                        "ordering": ["version", "position"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("embedding", None)),
                                fields=["version"],
                                name="passages_without_vector",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("version", "position"), name="one_passage_per_position")
                        ],
                    },
                ),
            ],
        ),
        migrations.RunSQL(_VERSIONS_NEVER_CHANGE, _LET_VERSIONS_CHANGE),
    ]
