"""Writes of usage: quotas, roll-ups, alerts and what keeps them small and exact."""
