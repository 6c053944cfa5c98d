"""Anthropic's messages for models that do not speak them: asked as chat completions, answers told as messages."""
