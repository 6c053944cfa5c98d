"""Queries of the chat."""
