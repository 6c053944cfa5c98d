"""Knowledge over the management API: collections, documents and their versions, and the search."""
