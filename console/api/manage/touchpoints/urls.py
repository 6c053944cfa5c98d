"""URLs of the inventory in the management API."""

from django.urls import path

from console.api.manage.touchpoints import inventory, legacy

urlpatterns = [
    path("touchpoints/", inventory.Touchpoints.as_view(), name="touchpoints"),
    path("touchpoints/summary/", inventory.Summary.as_view(), name="touchpoints_summary"),
    path("touchpoints/signals/", inventory.Signals.as_view(), name="touchpoints_signals"),
    path("touchpoints/legacy/", legacy.Legacy.as_view(), name="legacy_touchpoints"),
    path("touchpoints/legacy/import/", legacy.ImportLegacy.as_view(), name="import_legacy_touchpoints"),
    path("touchpoints/legacy/<uuid:pk>/", legacy.OneLegacy.as_view(), name="legacy_touchpoint"),
    path("touchpoints/<str:kind>/<uuid:pk>/expectation/", inventory.OneExpectation.as_view(), name="expectation"),
]
