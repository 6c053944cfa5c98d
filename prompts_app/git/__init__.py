"""Git both ways: prompts as Markdown files, versions as commits."""
