"""Show a line of a prompt. A tag and not a template: a text has thousands of lines, and each must stay one line."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from prompts_app.queries.text import Piece

register = template.Library()


@register.simple_tag
def line(pieces: Sequence[Piece], side: str = "") -> SafeString:
    """Draw a line's pieces; `side` is old or new where changes are marked."""
    return mark_safe("".join(_piece(piece, side) for piece in pieces))  # noqa: S308 - every piece is escaped below


def _piece(piece: Piece, side: str) -> str:
    if piece.kind == "hidden":
        shown = format_html('<span class="ghost" title="{}">{}</span>', piece.title, piece.text)
    elif piece.kind:
        extra = " is-include" if piece.kind == "include" else ""
        shown = format_html('<span class="var{}">{}</span>', extra, piece.text)
    else:
        shown = format_html("{}", piece.text)
    if not piece.is_changed:
        return shown
    return format_html("<del>{}</del>" if side == "old" else "<ins>{}</ins>", shown)
