"""Writes of the teams room: one function per verb, one transaction, one audit line."""
