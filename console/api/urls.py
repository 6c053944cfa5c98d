"""The management API. Calls to models are at /v1/, beside Django; see console/asgi.py."""

from importlib.util import find_spec

from django.urls import include, path

app_name = "api"
urlpatterns = [
    path("", include("console.api.manage.teams")),
    path("", include("console.api.manage.keys")),
]
urlpatterns += [
    path("", include(f"console.api.manage.{area}"))
    for area in ("catalog", "usage", "audit")
    if find_spec(f"console.api.manage.{area}")
]
urlpatterns += [path("", include("console.api.manage.installation"))]
