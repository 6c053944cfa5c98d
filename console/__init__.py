"""Facet: one Django monolith that serves chat, a programmable API and agents."""
