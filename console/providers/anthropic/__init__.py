"""Anthropic's Messages API, spoken natively: chat completions are translated both ways."""
