"""What the process that is copied imports, see tests/copies.py."""

import uvicorn.main  # noqa: F401

from console.embedded import copies

copies.load()
