"""Writes of tests: cases and runs."""
