"""Queries of the pages of tests."""
