"""Writes of evaluations: cases and runs of tests, schedules and their baselines, datasets, replays."""
