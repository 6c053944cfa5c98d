"""Writes of the catalog: one module per noun, one function per verb."""
