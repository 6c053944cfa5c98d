"""The pages of knowledge: collections, their documents, and documents' versions."""
