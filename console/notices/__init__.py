"""Telling people what happened: channels that are chosen, and the mail that goes out where nobody chose one."""
