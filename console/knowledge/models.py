"""Collections of documents, their immutable versions, and the passages of the search."""

from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q

from console.catalog.models import ModelVersion
from console.core.clock import now
from console.core.ids import uuid7
from console.knowledge.fields import RegConfig, Vector
from console.teams.models import Team


class Language(models.TextChoices):
    """How words are read: English finds `refunds` by `refund`. Each is a configuration every PostgreSQL brings."""

    SIMPLE = "simple", "Any language, no stemming"
    ENGLISH = "english", "English"
    GERMAN = "german", "German"
    FRENCH = "french", "French"
    SPANISH = "spanish", "Spanish"
    ITALIAN = "italian", "Italian"
    PORTUGUESE = "portuguese", "Portuguese"
    DUTCH = "dutch", "Dutch"
    SWEDISH = "swedish", "Swedish"
    DANISH = "danish", "Danish"
    NORWEGIAN = "norwegian", "Norwegian"
    FINNISH = "finnish", "Finnish"
    RUSSIAN = "russian", "Russian"
    TURKISH = "turkish", "Turkish"


class Collection(models.Model):
    """Documents that are searched together. Without a team it is the organisation's: every team reads it.

    `model` makes the vectors of its passages and of questions; without one it is searched by words alone. It is one
    exact version: vectors of two models say nothing of each other, so a pin that moves may not change it. `payer` is
    the team whose quotas the vectors of passages count in.

    The last group is about the making of vectors: who is at it until when, what went wrong last and how often since
    one was made, and when it is tried again.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="collections")
    slug = models.CharField(max_length=64)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)
    language = models.CharField(max_length=20, choices=Language.choices, default=Language.ENGLISH)
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, related_name="+")
    payer = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+")
    least_likeness = models.FloatField(
        null=True, blank=True, help_text="What a passage sent with calls needs; 0 for none, empty as was measured."
    )
    revision = models.PositiveIntegerField(default=1, help_text="Grows with every change.")
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    held_until = models.DateTimeField(null=True, editable=False)
    retry_at = models.DateTimeField(null=True, editable=False)
    problem = models.CharField(max_length=500, blank=True, editable=False)
    failures = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "slug"],
                condition=Q(deleted_at=None),
                nulls_distinct=False,
                name="one_living_collection_per_slug",
            ),
            models.CheckConstraint(
                condition=Q(model=None) | Q(payer__isnull=False), name="somebody_pays_for_a_collections_vectors"
            ),
            models.CheckConstraint(
                condition=Q(least_likeness=None) | Q(least_likeness__gte=0, least_likeness__lte=1),
                name="likeness_is_from_0_to_1",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def owner(self) -> str:
        """Whose it is, as pages say it."""
        return self.team.name if self.team else "Whole organisation"


class Document(models.Model):
    """A named text. `current` is the version that is searched; rolling back moves it.

    A deleted document keeps its row and versions, because the log and old answers speak of them.
    """

    class Kind(models.TextChoices):
        TEXT = "text", "Text"
        MARKDOWN = "markdown", "Markdown"
        HTML = "html", "Web page"
        PDF = "pdf", "PDF"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="documents")
    name = models.CharField(max_length=120)
    current = models.ForeignKey("DocumentVersion", on_delete=models.PROTECT, null=True, related_name="+")
    newest = models.PositiveIntegerField(default=0, help_text="The number of its newest version.")
    created_at = models.DateTimeField(default=now, editable=False)
    changed_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["collection", "name"], condition=Q(deleted_at=None), name="one_living_document_per_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class DocumentVersion(models.Model):
    """One numbered state of a document. Written once: the database itself refuses updates and deletes.

    The author is kept by id and name, not by a foreign key, so that nothing ever has to change the row.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    kind = models.CharField(max_length=8, choices=Document.Kind.choices, default=Document.Kind.MARKDOWN)
    source_name = models.CharField(max_length=120, blank=True, help_text="The file it came from.")
    sha256 = models.CharField(max_length=64)
    characters = models.PositiveIntegerField()
    passages_made = models.PositiveIntegerField()
    message = models.CharField(max_length=500, blank=True)
    author_id = models.UUIDField(null=True)
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["document", "number"], name="one_document_version_per_number")]

    def __str__(self) -> str:
        return f"{self.document.name}, version {self.number}"


class Passage(models.Model):
    """A piece of one version that a search can find. Derived from its version, so it may be made again.

    `heading` is the path of headings it stands under; `title` the document's name, so that its words count too.
    `embedding` is empty until the collection's model made it.
    """

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(DocumentVersion, on_delete=models.CASCADE, related_name="passages")
    position = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    heading = models.CharField(max_length=300, blank=True)
    text = models.TextField()
    language = RegConfig(max_length=20)
    words = models.GeneratedField(
        expression=SearchVector("title", weight="A", config=F("language"))
        + SearchVector("heading", weight="B", config=F("language"))
        + SearchVector("text", weight="C", config=F("language")),
        output_field=SearchVectorField(),
        db_persist=True,
    )
    embedding = Vector(null=True, editable=False)

    class Meta:
        ordering = ["version", "position"]
        constraints = [models.UniqueConstraint(fields=["version", "position"], name="one_passage_per_position")]
        indexes = [
            models.Index(fields=["version"], name="passages_without_vector", condition=Q(embedding=None)),
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.position}"
