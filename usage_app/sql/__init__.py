"""SQL of usage, by what it is for: sums the ORM would fetch row by row or could not merge into arrays.

Metrics choose between fixed column expressions; every value is a parameter.
"""
