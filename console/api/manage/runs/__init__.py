"""Runs, approvals and triggers over the management API."""
