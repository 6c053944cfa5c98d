"""Upper estimates of tokens, which reservations are made of."""


def estimate_tokens(text: str) -> int:
    """Return an upper estimate of a text's tokens: four bytes each, fewer for other scripts."""
    characters = len(text)
    more = 0 if text.isascii() else len(text.encode("utf-8", "surrogatepass")) - characters
    return characters // 4 + more * 3 // 5 + 8
