"""Addresses of agents."""

from django.urls import path

from agents_app.views import editing, moving, reading, settings

app_name = "agents"
urlpatterns = [
    path("agents/", reading.agents, name="agents"),
    path("agents/new/", editing.new_agent, name="new_agent"),
    path("agents/<slug:slug>/", reading.agent, name="agent"),
    path("agents/<slug:slug>/versions/<int:number>/", reading.version, name="version"),
    path("agents/<slug:slug>/compare/", reading.compare, name="compare"),
    path("agents/<slug:slug>/where-used/", reading.where_used, name="where_used"),
    path("agents/<slug:slug>/edit/", editing.edit, name="edit"),
    path("agents/<slug:slug>/publish/", moving.publish, name="publish"),
    path("agents/<slug:slug>/versions/<int:number>/roll-back/", moving.roll_back, name="roll_back"),
    path("agents/<slug:slug>/settings/", settings.settings, name="settings"),
    path("agents/<slug:slug>/remove/", settings.remove, name="remove"),
]
