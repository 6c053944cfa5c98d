"""The secrets of tools and of their servers, as a call sends them."""

from agents_app.models import Tool, ToolServer
from agents_app.tools.base import ToolFailed
from console.core.crypto import SecretUnreadable, decrypt


def secret_of(row: Tool | ToolServer) -> str:
    """Return the secret decrypted, "" where there is none; ToolFailed when the key it was encrypted with is gone."""
    if not row.secret:
        return ""
    try:
        return decrypt(row.secret)
    except SecretUnreadable:
        what = "tool" if isinstance(row, Tool) else "server"
        raise ToolFailed(f"The {what}'s secret cannot be read with the present ENCRYPTION_KEYS.") from None
