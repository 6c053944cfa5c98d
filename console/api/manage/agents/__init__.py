"""Agents over the management API."""
