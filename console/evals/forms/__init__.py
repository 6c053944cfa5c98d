"""Tests and their schedules as they are typed."""
