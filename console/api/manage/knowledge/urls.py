"""URLs of knowledge in the management API."""

from django.urls import path

from console.api.manage.knowledge import collections, documents, search

urlpatterns = [
    path("knowledge/search/", search.Search.as_view(), name="search_knowledge"),
    path("knowledge/collections/", collections.Collections.as_view(), name="collections"),
    path("knowledge/collections/<uuid:pk>/", collections.OneCollection.as_view(), name="collection"),
    path("knowledge/collections/<uuid:pk>/vectors/", collections.Vectors.as_view(), name="collection_vectors"),
    path("knowledge/collections/<uuid:pk>/documents/", documents.Documents.as_view(), name="documents"),
    path("knowledge/documents/<uuid:pk>/", documents.OneDocument.as_view(), name="document"),
    path("knowledge/documents/<uuid:pk>/versions/", documents.Versions.as_view(), name="document_versions"),
    path(
        "knowledge/documents/<uuid:pk>/versions/<int:number>/", documents.OneVersion.as_view(), name="document_version"
    ),
    path("knowledge/documents/<uuid:pk>/current/", documents.Current.as_view(), name="current_version"),
]
