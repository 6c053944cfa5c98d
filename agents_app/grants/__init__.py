"""What an agent may call, and the one place that decides about a call."""
