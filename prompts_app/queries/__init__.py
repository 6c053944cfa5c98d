"""Reads of the prompt library: what its pages need, already joined."""
