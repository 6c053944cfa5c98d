"""What a site loads: the script, and the frame it mounts."""

import json
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from console.chat.embed import colours
from console.chat.embed.access import known_widget, widget_for
from console.chat.embed.errors import WidgetOff
from console.chat.embed.limits import limits_of
from console.chat.embed.texts import words_for
from console.chat.models import Widget
from console.teams.access import PUBLIC, needs

_SOURCE = settings.BASE_DIR / "static" / "embed" / "widget.js"
# How long a site's browsers keep it; a change of the widget's looks reaches them after this.
SNIPPET_SECONDS = 300
_NOBODY = "// There is no chat for this address, or it is switched off.\n"
# What of the fixed texts the snippet and the frame's script say by themselves.
_SNIPPET_WORDS = ("open", "close", "unread")
_FRAME_WORDS = (
    *("subtitle", "answered_by", "wanted", "you", "assistant", "sources", "helped", "yes", "no", "again", "writing"),
    *("failed", "off", "identity", "identity_needed", "too_long", "lost", "empty"),
)


@cache
def _source() -> str:
    return _SOURCE.read_text()


def snippet_for(widget: Widget) -> str:
    """Return the script of one widget: the source with what it must know before anybody opens it."""
    words, colour = words_for(widget.language), colours.safe_colour(widget.colour)
    config = {
        "id": widget.public_id,
        "host": settings.BASE_URL,
        "origins": widget.origins,
        "title": widget.title or widget.name,
        "colour": colour,
        "on": colours.on(colour),
        "side": widget.position,
        "signed": widget.needs_identity,
        "words": {name: words[name] for name in _SNIPPET_WORDS},
    }
    return _source().replace("__CONFIG__", json.dumps(config), 1)


@needs(PUBLIC)
@require_safe
@gzip_page
def snippet(request: HttpRequest, public_id: str) -> HttpResponse:
    """The script of one widget. It holds nothing but what every visitor may see."""
    try:
        said = snippet_for(widget_for(public_id))
    except WidgetOff:
        said = _NOBODY
    headers = {
        "Cache-Control": f"public, max-age={SNIPPET_SECONDS}",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return HttpResponse(said, content_type="text/javascript; charset=utf-8", headers=headers)


@needs(PUBLIC)
@require_safe
@gzip_page
@xframe_options_exempt
def frame(request: HttpRequest, public_id: str) -> HttpResponse:
    """The page inside the frame. Only the widget's sites may hold it, which the browser sees to."""
    widget = known_widget(public_id)
    if widget is None or not widget.origins:
        return HttpResponse("There is no chat here.", status=404, content_type="text/plain; charset=utf-8")
    response = render(request, "chat/embed/frame.html", _context(widget))
    response._csp_replace = {"frame-ancestors": list(widget.origins)}  # type: ignore[attr-defined]
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Cross-Origin-Embedder-Policy"] = "require-corp"  # a site may ask this of what it frames
    return response


def _context(widget: Widget) -> dict[str, Any]:
    words, live, colour = words_for(widget.language), widget.agent.live, colours.safe_colour(widget.colour)
    return {
        "widget": widget,
        "title": widget.title or widget.name,
        "words": words,
        "greeting": widget.greeting or (live.opening_message if live else "") or words["greeting"],
        "questions": widget.suggested_questions or (live.suggested_questions if live else []),
        "config": {
            "origins": widget.origins,
            "off": not widget.is_enabled,
            "most": limits_of(widget.limits)["message_characters"],
            "colour": colour,
            "on": colours.on(colour),
            "ink": colours.on_white(colour),
            "words": {name: words[name] for name in _FRAME_WORDS},
        },
    }
