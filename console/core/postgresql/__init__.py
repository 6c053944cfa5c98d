"""Django's backend for PostgreSQL, which says more quickly what most questions are: see compiler.py."""
