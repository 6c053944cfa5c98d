"""Parse and check what a person typed; the services keep the rules."""
