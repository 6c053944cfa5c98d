"""URLs of agents in the management API."""

from console.api.manage.agents import agents, tryout

urlpatterns = [*agents.urlpatterns, *tryout.urlpatterns]
