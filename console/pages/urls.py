from django.urls import URLPattern, URLResolver, path

from console.pages import health
from console.pages.views import costs, docs, lanes, overview, palette, profile, settings

app_name = "pages"
urlpatterns: list[URLPattern | URLResolver] = [
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("", overview.overview, name="overview"),
    path("lanes/", lanes.lanes, name="lanes"),
    path("costs/", costs.costs, name="costs"),
    path("costs/export.csv", costs.export, name="export_costs"),
    path("palette/", palette.palette, name="palette"),
    path("profile/", profile.profile, name="profile"),
    path("settings/", settings.settings_page, name="settings"),
    path("docs/", docs.quick_start, name="docs"),
    path("docs/api/", docs.reference, name="reference"),
]
