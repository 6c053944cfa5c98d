"""Reads of usage: what pages, answers and checks need, already joined."""
