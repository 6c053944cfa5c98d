"""Collections and their vectors."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from console.api.manage.base import Endpoint, listed
from console.api.manage.knowledge.shapes import (
    CollectionChangeSerializer,
    CollectionSerializer,
    NewCollectionSerializer,
    VectorsSerializer,
)
from console.api.pagination import page_of
from console.catalog.models import ModelVersion
from console.core.errors import BadInput, NotAllowed
from console.knowledge import access, queries
from console.knowledge.models import Collection
from console.knowledge.services import collections
from console.teams.access import team_for


class KnowledgeEndpoint(Endpoint):
    needs = "view_team"

    def data_of(self, collections: list[Collection]) -> Any:
        rows: QuerySet[Collection] = Collection.objects.filter(pk__in=[collection.pk for collection in collections])
        counted = {row.collection.pk: row for row in queries.rows(rows.select_related("team", "model__provider"))}
        return CollectionSerializer(collections, many=True, context={"rows": counted, "caller": self.caller}).data

    def answer(self, collection: Collection, status: int = 200) -> Response:
        return Response(self.data_of([collection])[0], status=status)

    def with_model(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return what was sent with the rows its names mean."""
        if body.get("model"):
            body["model"] = self._model(body["model"])
        if body.get("payer"):
            body["payer"] = team_for(self.caller, body["payer"], to="build")
        return body

    def _model(self, name: str) -> ModelVersion:
        provider, _, model = name.partition("/")
        version = queries.embedding_models(self.caller).filter(provider__slug=provider, name=model).first()
        if "\0" in name or version is None:
            raise BadInput(f"{name[:100]!r} is no embeddings model you may choose.", param="model")
        return version


class Collections(KnowledgeEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_collections",
        summary="List collections of documents, newest first",
        parameters=[OpenApiParameter("team", str, description="What calls of this team may search.")],
        responses=listed(CollectionSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.visible_collections(self.asked_team() or self.caller)
        page, after = page_of(request, rows.select_related("payer"))
        return Response({"data": self.data_of(page), "next": after})

    @extend_schema(
        summary="Make a collection of documents",
        request=NewCollectionSerializer,
        responses={201: CollectionSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.with_model(self.read(NewCollectionSerializer))
        if body["team"] is not None:
            body["team"] = team_for(self.caller, body["team"], to="build")
        elif not self.caller.is_operator:
            raise NotAllowed("Only operators make collections of the whole organisation.")
        return self.answer(collections.create_collection(actor=self.actor, **body), 201)


class OneCollection(KnowledgeEndpoint):
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(summary="Show a collection", responses=CollectionSerializer)
    def get(self, request: Any, pk: UUID) -> Response:
        return self.answer(access.collection_for(self.caller, pk))

    @extend_schema(
        summary="Change a collection; another model begins its vectors anew",
        request=CollectionChangeSerializer,
        responses=CollectionSerializer,
    )
    def patch(self, request: Any, pk: UUID) -> Response:
        collection = access.collection_for(self.caller, pk, to="change")
        body = self.with_model(self.read(CollectionChangeSerializer))
        return self.answer(collections.change_collection(actor=self.actor, collection=collection, **body))

    @extend_schema(summary="Delete a collection nothing uses", responses={204: None})
    def delete(self, request: Any, pk: UUID) -> Response:
        collection = access.collection_for(self.caller, pk, to="change")
        collections.delete_collection(actor=self.actor, collection=collection)
        return Response(status=204)


class Vectors(KnowledgeEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="make_vectors",
        summary="Make the vectors that are missing now, or all anew",
        request=VectorsSerializer,
        responses={202: CollectionSerializer},
    )
    def post(self, request: Any, pk: UUID) -> Response:
        collection = access.collection_for(self.caller, pk, to="change")
        if self.read(VectorsSerializer)["all"]:
            collections.embed_again(actor=self.actor, collection=collection)
        else:
            collections.retry_vectors(actor=self.actor, collection=collection)
        return self.answer(access.collection_for(self.caller, pk), 202)
