"""Facet: one Django monolith that serves chat, a programmable API and agents."""

from console.celery import app as celery_app

__all__ = ["celery_app"]
