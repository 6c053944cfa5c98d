"""The kinds of tools: one folder each, all with the same interface."""
