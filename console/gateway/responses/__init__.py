"""OpenAI's responses for models of any kind: asked as chat completions, answers told as responses."""
