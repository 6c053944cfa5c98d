"""Which lines of the log are calls of models."""

# What is no call of a model, and therefore counts against no quota. Refused calls are left out besides.
UNCOUNTED_TYPES = ("admin", "access", "models", "tool")
NOT_CALLS = str(UNCOUNTED_TYPES)
