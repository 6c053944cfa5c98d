"""What the pages of tests need, already joined."""
