"""The audit log over the management API: what the pages show and do, for programs."""
