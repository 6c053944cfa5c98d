"""The repository and the import; their first segments are no prompt's name."""

from django.urls import path

from prompts_app.git import langfuse_views, views

app_name = "prompts_git"
urlpatterns = [
    path("prompts/git/", views.git, name="git"),
    path("prompts/git/test/", views.test, name="test"),
    path("prompts/git/sync/", views.sync, name="sync"),
    path("prompts/git/resolve/", views.resolve, name="resolve"),
    path("prompts/git/disconnect/", views.disconnect, name="disconnect"),
    path("prompts/import/", langfuse_views.import_prompts, name="import"),
]
