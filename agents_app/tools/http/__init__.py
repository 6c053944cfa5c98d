"""Requests to an API, described by hand or imported from an OpenAPI document."""

from agents_app.tools.http.kind import Http

__all__ = ["Http"]
