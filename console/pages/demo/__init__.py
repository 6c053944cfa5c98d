"""A made-up company to look around in: labelled as such everywhere, and the same on every machine."""
