"""URLs of tools, tool servers, queues and brokers in the management API."""

from console.api.manage.tools import brokers, queues, servers, tools

urlpatterns = [*tools.urlpatterns, *servers.urlpatterns, *queues.urlpatterns, *brokers.urlpatterns]
