"""Documents and their versions."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed
from console.api.manage.knowledge.shapes import (
    CurrentSerializer,
    DocumentChangeSerializer,
    DocumentSerializer,
    DocumentVersionSerializer,
    NewDocumentSerializer,
    NewDocumentVersionSerializer,
    UploadedDocumentSerializer,
    UploadedDocumentVersionSerializer,
    WholeVersionSerializer,
)
from console.api.parsers import StrictJSONParser, UploadParser
from console.core.files.page_words import marked_words_of
from console.knowledge import access, files, queries
from console.knowledge.models import Document, DocumentVersion
from console.knowledge.services import documents


class _Texts(Endpoint):
    """Takes a text as JSON, or the file that has it in a form."""

    parser_classes = (StrictJSONParser, UploadParser)

    def text(self, as_json: type[Strict], as_form: type[Strict]) -> dict[str, Any]:
        """Return what a service takes, and as `title` what an uploaded document is called unless somebody says."""
        if self.request.content_type.startswith(UploadParser.media_type):
            body = self.read(as_form)
            file = files.read(body.pop("file"))
            return body | {
                "text": file.text,
                "kind": file.kind,
                "source_name": file.name,
                "title": file.title,
            }
        body = self.read(as_json)
        if body["kind"] == Document.Kind.HTML:
            body["text"] = marked_words_of(body["text"])
        return body


class Documents(_Texts):
    needs, needs_to = "view_team", {"POST": "build"}

    @extend_schema(
        operation_id="list_documents",
        summary="List the documents of a collection, newest first",
        responses=listed(DocumentSerializer),
    )
    def get(self, request: Any, pk: UUID) -> Response:
        return self.page(queries.documents_of(access.collection_for(self.caller, pk)), DocumentSerializer)

    @extend_schema(
        summary="Add a document to a collection",
        request={UploadParser.media_type: UploadedDocumentSerializer, "application/json": NewDocumentSerializer},
        responses={201: DocumentSerializer},
    )
    def post(self, request: Any, pk: UUID) -> Response:
        collection = access.collection_for(self.caller, pk, to="change")
        body = self.text(NewDocumentSerializer, UploadedDocumentSerializer)
        body = {"name": body.pop("title", "")} | body
        document = documents.add_document(actor=self.actor, collection=collection, **body)
        return Response(DocumentSerializer(document).data, status=201)


class OneDocument(Endpoint):
    needs, needs_to = "view_team", {"PATCH": "build", "DELETE": "build"}

    @extend_schema(summary="Show a document", responses=DocumentSerializer)
    def get(self, request: Any, pk: UUID) -> Response:
        return Response(DocumentSerializer(access.document_for(self.caller, pk)).data)

    @extend_schema(summary="Rename a document", request=DocumentChangeSerializer, responses=DocumentSerializer)
    def patch(self, request: Any, pk: UUID) -> Response:
        document = access.document_for(self.caller, pk, to="change")
        body = self.read(DocumentChangeSerializer)
        return Response(DocumentSerializer(documents.rename_document(actor=self.actor, document=document, **body)).data)

    @extend_schema(summary="Delete a document; its versions stay on record", responses={204: None})
    def delete(self, request: Any, pk: UUID) -> Response:
        documents.delete_document(actor=self.actor, document=access.document_for(self.caller, pk, to="change"))
        return Response(status=204)


class Versions(_Texts):
    needs, needs_to = "view_team", {"POST": "build"}

    @extend_schema(
        operation_id="list_document_versions",
        summary="List the versions of a document, newest first, without their texts",
        responses=listed(DocumentVersionSerializer),
    )
    def get(self, request: Any, pk: UUID) -> Response:
        rows = DocumentVersion.objects.filter(document=access.document_for(self.caller, pk)).defer("text")
        return self.page(rows, DocumentVersionSerializer)

    @extend_schema(
        operation_id="save_document_version",
        summary="Save the next version, which is searched at once",
        request={
            UploadParser.media_type: UploadedDocumentVersionSerializer,
            "application/json": NewDocumentVersionSerializer,
        },
        responses={201: DocumentVersionSerializer},
    )
    def post(self, request: Any, pk: UUID) -> Response:
        document = access.document_for(self.caller, pk, to="change")
        body = self.text(NewDocumentVersionSerializer, UploadedDocumentVersionSerializer)
        body.pop("title", "")
        version = documents.save_version(actor=self.actor, document=document, **body)
        return Response(DocumentVersionSerializer(version).data, status=201)


class OneVersion(Endpoint):
    needs = "view_team"

    @extend_schema(
        operation_id="show_document_version",
        summary="Show a version with its text",
        responses=WholeVersionSerializer,
    )
    def get(self, request: Any, pk: UUID, number: int) -> Response:
        version = access.version_for(access.document_for(self.caller, pk), number)
        return Response(WholeVersionSerializer(version).data)


class Current(Endpoint):
    needs = "build"

    @extend_schema(
        operation_id="make_version_current",
        summary="Have searches find another version: roll back, or forward again",
        request=CurrentSerializer,
        responses=DocumentSerializer,
    )
    def post(self, request: Any, pk: UUID) -> Response:
        document = access.document_for(self.caller, pk, to="change")
        version = access.version_for(document, self.read(CurrentSerializer)["version"])
        document = documents.make_current(actor=self.actor, document=document, version=version)
        return Response(DocumentSerializer(document).data)
