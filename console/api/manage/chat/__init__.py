"""Conversations over the management API: what the chat page does, for programs that act as the person signed in."""
