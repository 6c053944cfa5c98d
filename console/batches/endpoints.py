"""What a batch may be made of: the addresses its lines name, and the operation each is."""

ENDPOINTS = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "response",
    "/v1/completions": "completion",
    "/v1/embeddings": "embedding",
}
