"""Which records of the log are calls of models."""

# What is no call of a model, and therefore counts against no quota. Refused calls are left out besides.
UNCOUNTED_TYPES = ("admin", "access", "models", "tool")
NOT_CALLS = str(UNCOUNTED_TYPES)

# How calls ended, of a row of the log. What a call was answered with when every fallback after a failed attempt was
# refused stands there as a refusal, since nothing was sent for it: its caller heard the provider's error.
_HEARD_AN_ERROR = """status = 'refused' AND detail LIKE '%%"passed_over":%%'"""
FAILED = f"(status IN ('error', 'interrupted') OR ({_HEARD_AN_ERROR}))"
REFUSED = f"(status = 'refused' AND NOT ({_HEARD_AN_ERROR}))"
# Of those that failed, the attempts that a fallback followed: their callers heard of the last one only.
FOLLOWED = """(status IN ('error', 'interrupted') AND detail LIKE '%%"attempt_of":%%')"""
