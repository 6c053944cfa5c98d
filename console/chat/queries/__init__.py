"""What the chat page reads."""
