"""Bodies of calls to models, one file per operation: `check(value)` returns the body or raises BadInput with `param`.

They are in OpenAI's shape, and checked as far as we rely on them; the rest is the model's business.
"""
