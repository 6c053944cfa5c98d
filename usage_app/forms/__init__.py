"""Parse and check what a person typed on the pages of usage."""
