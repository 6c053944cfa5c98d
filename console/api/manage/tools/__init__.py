"""Tools, tool servers and queues over the management API."""
