"""Responses whose caller does not wait (`background: true`): promised in a row, answered by a worker, fetched later."""
