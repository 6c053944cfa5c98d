"""The endpoints a batch may call, and the operation of each."""

ENDPOINTS = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "response",
    "/v1/completions": "completion",
    "/v1/embeddings": "embedding",
    "/v1/messages": "message",
}
# Where a line that is no call fails by itself, as Anthropic's clients expect; elsewhere nothing of its file is sent.
FAILING_ALONE = frozenset({"/v1/messages"})
