"""Stories from end to end, each one command against a running console. See README.md."""
