"""Addresses of knowledge."""

from django.urls import path

from console.knowledge.views import collections, documents, versions

app_name = "knowledge"
urlpatterns = [
    path("knowledge/", collections.collections, name="collections"),
    path("knowledge/new/", collections.new_collection, name="new_collection"),
    path("knowledge/<uuid:collection_id>/", collections.collection, name="collection"),
    path("knowledge/<uuid:collection_id>/search/", collections.search, name="search"),
    path("knowledge/<uuid:collection_id>/change/", collections.change_collection, name="change_collection"),
    path("knowledge/<uuid:collection_id>/vectors/", collections.vectors, name="vectors"),
    path("knowledge/<uuid:collection_id>/delete/", collections.delete_collection, name="delete_collection"),
    path("knowledge/<uuid:collection_id>/documents/new/", documents.new_document, name="new_document"),
    path("knowledge/documents/<uuid:document_id>/", documents.document, name="document"),
    path("knowledge/documents/<uuid:document_id>/edit/", documents.edit_document, name="edit_document"),
    path("knowledge/documents/<uuid:document_id>/delete/", documents.delete_document, name="delete_document"),
    path("knowledge/documents/<uuid:document_id>/compare/", versions.compare, name="compare"),
    path("knowledge/documents/<uuid:document_id>/versions/<int:number>/", versions.version, name="version"),
    path(
        "knowledge/documents/<uuid:document_id>/versions/<int:number>/make-current/",
        versions.make_current,
        name="make_current",
    ),
]
