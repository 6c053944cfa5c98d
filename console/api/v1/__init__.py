"""The OpenAI-compatible face: HTTP and wire shapes over the gateway's pipeline, beside Django and not through it."""
