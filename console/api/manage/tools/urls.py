"""Addresses of tools, tool servers and queues in the management API."""

from console.api.manage.tools import queues, servers, tools

urlpatterns = [*tools.urlpatterns, *servers.urlpatterns, *queues.urlpatterns]
