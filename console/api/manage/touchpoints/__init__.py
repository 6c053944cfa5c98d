"""The inventory over the management API: what the page shows and does, for programs."""
