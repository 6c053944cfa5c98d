"""Datasets and replays in the management API."""
