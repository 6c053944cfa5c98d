"""The management API: what the pages do, for programs. One module an area; the same services, access and audit."""
