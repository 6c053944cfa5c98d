"""Serializers of collections and documents."""

from typing import Any

from rest_framework import serializers

from console.api.manage.base import Strict
from console.knowledge.access import sees_payer
from console.knowledge.models import Collection, Document, DocumentVersion, Language
from console.knowledge.search import MOST_COLLECTIONS, MOST_FOUND

_KINDS = [Document.Kind.TEXT, Document.Kind.MARKDOWN, Document.Kind.HTML]


class CollectionSerializer(serializers.ModelSerializer[Collection]):
    team = serializers.SlugField(
        source="team.slug", default=None, allow_null=True, help_text="Null: the whole organisation's."
    )
    model = serializers.CharField(
        allow_null=True, help_text="The model that makes its vectors; null: it is searched by words alone."
    )
    payer = serializers.SerializerMethodField(help_text="The team that pays; null for those who do not see that team.")
    documents = serializers.SerializerMethodField()
    passages = serializers.SerializerMethodField()
    vectors = serializers.SerializerMethodField(help_text="How many of its passages have one.")
    problem = serializers.SerializerMethodField(
        help_text="What keeps vectors from being made; empty when nothing does."
    )

    class Meta:
        model = Collection
        fields = [
            "id", "team", "slug", "name", "description", "language", "model", "least_likeness", "payer", "documents",
            "passages", "vectors", "problem", "revision", "created_at",
        ]  # fmt: skip

    def get_payer(self, collection: Collection) -> str | None:
        payer = collection.payer
        return payer.slug if payer is not None and sees_payer(self.context["caller"], collection) else None

    def get_problem(self, collection: Collection) -> str:
        is_hidden = collection.problem and not sees_payer(self.context["caller"], collection)
        return "Vectors cannot be made for now." if is_hidden else collection.problem

    def get_documents(self, collection: Collection) -> int:
        return int(self.context["rows"][collection.pk].documents)

    def get_passages(self, collection: Collection) -> int:
        return int(self.context["rows"][collection.pk].passages)

    def get_vectors(self, collection: Collection) -> int:
        row = self.context["rows"][collection.pk]
        return 0 if row.is_by_words else int(row.made)


class _CollectionFields(Strict):
    description = serializers.CharField(required=False, allow_blank=True)
    language = serializers.ChoiceField(choices=Language.choices, required=False)
    model = serializers.CharField(
        required=False, allow_null=True, help_text="An embeddings model as `provider/name`; null for none."
    )
    least_likeness = serializers.FloatField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=1,
        help_text="What a passage sent with calls needs; 0 for none, null as was measured for its model.",
    )
    payer = serializers.SlugField(
        required=False, allow_null=True, help_text="Of the organisation's: the team that pays for its vectors."
    )


class NewCollectionSerializer(_CollectionFields):
    team = serializers.SlugField(allow_null=True, help_text="The team's short name; null for the whole organisation.")
    slug = serializers.CharField()
    name = serializers.CharField()


class CollectionChangeSerializer(_CollectionFields):
    name = serializers.CharField(required=False)
    seen_revision = serializers.IntegerField(required=False, min_value=1)


class DocumentSerializer(serializers.ModelSerializer[Document]):
    collection = serializers.UUIDField(source="collection_id")
    version = serializers.IntegerField(source="current.number", help_text="The current one.")
    newest_version = serializers.IntegerField(source="newest")
    passages = serializers.IntegerField(source="current.passages_made")

    class Meta:
        model = Document
        fields = ["id", "collection", "name", "version", "newest_version", "passages", "created_at", "changed_at"]


class DocumentVersionSerializer(serializers.ModelSerializer[DocumentVersion]):
    passages = serializers.IntegerField(source="passages_made")
    author = serializers.CharField(source="author_name")

    class Meta:
        model = DocumentVersion
        fields = [
            "id", "number", "kind", "source_name", "sha256", "characters", "passages", "message", "author",
            "created_at",
        ]  # fmt: skip


class WholeVersionSerializer(DocumentVersionSerializer):
    class Meta(DocumentVersionSerializer.Meta):
        fields = [*DocumentVersionSerializer.Meta.fields, "text"]


class _TextFields(Strict):
    text = serializers.CharField(trim_whitespace=False)
    kind = serializers.ChoiceField(
        choices=_KINDS, default=Document.Kind.MARKDOWN, help_text="Of html the words, with its headings, are kept."
    )
    message = serializers.CharField(required=False, allow_blank=True, help_text="What changed, and why.")
    source_name = serializers.CharField(required=False, allow_blank=True)


class NewDocumentSerializer(_TextFields):
    name = serializers.CharField()


class NewDocumentVersionSerializer(_TextFields):
    seen_version = serializers.IntegerField(
        required=False, min_value=0, help_text="The newest you know: where somebody saved since, nothing is written."
    )


class _FileFields(Strict):
    file = serializers.FileField(
        allow_empty_file=True, help_text="md, txt, csv, html, pdf, docx or xlsx; its ending says."
    )
    message = serializers.CharField(required=False, allow_blank=True, help_text="What changed, and why.")


class UploadedDocumentSerializer(_FileFields):
    name = serializers.CharField(required=False, help_text="As the file is called unless given.")


class UploadedDocumentVersionSerializer(_FileFields):
    seen_version = serializers.IntegerField(
        required=False, min_value=0, help_text="The newest you know: where somebody saved since, nothing is written."
    )


class DocumentChangeSerializer(Strict):
    name = serializers.CharField()


class CurrentSerializer(Strict):
    version = serializers.IntegerField(min_value=1)


class VectorsSerializer(Strict):
    all = serializers.BooleanField(default=False, help_text="Make all anew, not only those that are missing.")


class QuestionSerializer(Strict):
    question = serializers.CharField(max_length=4_000)
    collections = serializers.ListField(
        child=serializers.CharField(max_length=64), min_length=1, max_length=MOST_COLLECTIONS, help_text="Their slugs."
    )
    team = serializers.SlugField(required=False, help_text="Whose collections they are; a key's own unless given.")
    limit = serializers.IntegerField(default=5, min_value=1, max_value=MOST_FOUND)


class FoundSerializer(serializers.Serializer[Any]):
    document_id = serializers.UUIDField()
    document = serializers.CharField()
    version = serializers.IntegerField()
    passage = serializers.IntegerField(source="passage_position")
    collection = serializers.CharField()
    heading = serializers.CharField(help_text="The path of headings it stands under.")
    text = serializers.CharField()
    score = serializers.FloatField(help_text="Orders what was found; it compares with no other search's.")
    similarity = serializers.FloatField(allow_null=True)
    updated_at = serializers.DateTimeField()


class SearchSerializer(serializers.Serializer[Any]):
    data = FoundSerializer(many=True)  # type: ignore[assignment]
    by_meaning = serializers.BooleanField(help_text="Whether vectors took part.")
    problem = serializers.CharField(help_text="Why meaning did not count where it should have.")
