"""Widgets and their visitors' conversations over the management API: what the pages do, for programs."""
