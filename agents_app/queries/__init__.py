"""What the pages of agents read."""
