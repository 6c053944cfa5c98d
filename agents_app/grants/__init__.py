"""What an agent may call, and the one place that decides it."""
