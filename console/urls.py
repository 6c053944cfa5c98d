"""Every address outside /v1/, which console/asgi.py gives to the gateway's face before Django."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from console.pages.views import errors

admin.site.site_header = admin.site.site_title = f"{settings.INSTALLATION_NAME}, database"
admin.site.index_title = "What is stored, to look at"

urlpatterns = [
    # First, because one look tells that an address is theirs: a program's request tries no page.
    path("api/", include("console.api.urls")),
    path("embed/", include("console.chat.embed.urls")),
    path("", include("console.telemetry.urls")),
    path("", include("console.pages.urls")),
    path("", include("console.notices.urls")),
    path("", include("console.teams.urls")),
    path("", include("console.catalog.urls")),
    path("", include("prompts_app.git.urls")),  # before the library's own, which take every name
    path("", include("prompts_app.urls")),
    path("", include("console.evals.urls")),
    path("", include("usage_app.urls")),
    path("", include("console.knowledge.urls")),
    path("", include("console.batches.urls")),
    path("", include("agents_app.urls")),
    path("", include("console.playground.urls")),
    path("", include("console.chat.urls")),
    path("", include("console.touchpoints.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
# allauth calls this one when somebody tries too often.
handler429 = errors.too_many_requests
handler500 = errors.server_error
