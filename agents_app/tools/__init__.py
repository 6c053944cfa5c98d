"""What agents can do: one folder per kind of tool, all of one shape."""
