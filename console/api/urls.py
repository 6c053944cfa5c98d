"""The management API. Calls to models are at /v1/, beside Django; see console/asgi.py."""

from django.urls import include, path

app_name = "api"
urlpatterns = [
    path("", include(f"console.api.manage.{area}"))
    for area in (
        "teams",
        "people",
        "keys",
        "sessions",
        "catalog",
        "prompts.urls",
        "evaluations.urls",
        "agents.urls",
        "runs.urls",
        "tools.urls",
        "knowledge.urls",
        "chat.urls",
        "widgets.urls",
        "batches",
        "playground",
        "ratings",
        "quotas.urls",
        "alerts",
        "alert_rules",
        "usage",
        "touchpoints.urls",
        "audit.urls",
        "installation",
    )
]
