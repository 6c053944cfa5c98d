"""Writes: one module per noun, one function per verb."""
