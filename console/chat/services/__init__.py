"""What can be done in the chat: one function per verb."""
