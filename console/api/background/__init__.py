"""Responses whose caller does not wait (`background: true`): kept in a row, answered by a worker, fetched later."""
