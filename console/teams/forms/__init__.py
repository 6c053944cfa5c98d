"""Forms of the teams room: they parse and check what a person typed, and save nothing."""
