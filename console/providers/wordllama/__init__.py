"""The built-in embeddings: the small server in console/embedded/embeddings.py."""
