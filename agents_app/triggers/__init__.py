"""Triggers of runs: schedules, webhooks, queues."""
