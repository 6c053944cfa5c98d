"""A invented company to look around in: labelled as such everywhere, and the same on every machine."""
