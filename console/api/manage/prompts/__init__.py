"""The prompt library over the management API."""
