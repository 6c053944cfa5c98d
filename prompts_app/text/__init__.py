"""Prompt text: two forms, plain substitution. Knows no database and no template engine."""
