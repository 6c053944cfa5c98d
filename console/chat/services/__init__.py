"""The services of the chat."""
