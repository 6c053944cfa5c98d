"""URLs of the inventory."""

from django.urls import path

from console.touchpoints.views import inventory, legacy, lists

app_name = "touchpoints"
urlpatterns = [
    path("touchpoints/", inventory.touchpoints, name="touchpoints"),
    path("touchpoints/signals/", inventory.signals, name="signals"),
    path("touchpoints/import/", lists.import_list, name="import"),
    path("touchpoints/export.csv", lists.export, {"form": "csv"}, name="export_csv"),
    path("touchpoints/export.json", lists.export, {"form": "json"}, name="export_json"),
    path("touchpoints/new/", legacy.new, name="new"),
    path("touchpoints/<uuid:legacy_id>/", legacy.edit, name="edit"),
    path("touchpoints/<uuid:legacy_id>/migrate/", legacy.migrate, name="migrate"),
    path("touchpoints/<uuid:legacy_id>/remove/", legacy.remove, name="remove"),
    path("touchpoints/<str:kind>/<uuid:subject_id>/expectation/", inventory.expectation, name="expectation"),
]
