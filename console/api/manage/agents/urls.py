"""Addresses of agents in the management API."""

from console.api.manage.agents import agents, trying

urlpatterns = [*agents.urlpatterns, *trying.urlpatterns]
