"""Writes of the room: one function per verb, one transaction, one line in the log."""
