"""Preview a widget with the values in the form. It asks no model and stores nothing."""

from typing import Any
from urllib.parse import urlencode

from csp.constants import NONCE
from csp.decorators import csp_replace
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from console.chat.embed import colours
from console.chat.embed.texts import DEFAULT, LANGUAGES, words_for
from console.chat.models import Widget
from console.chat.widget_fields import LONGEST_NAME, LONGEST_QUESTION, MOST_QUESTIONS
from console.teams.access import needs
from console.teams.callers import TeamRequest

_LONGEST_OPENING = 2_000


def look_of(widget: Widget, typed: dict[str, Any]) -> dict[str, Any]:
    """Return what is seen of a widget, as typed where that can be used, else as saved."""
    agent = typed.get("agent") or widget.agent
    live = agent.live
    colour = typed.get("colour", widget.colour)
    return {
        "title": typed.get("title", widget.title) or typed.get("name", widget.name),
        "greeting": typed.get("greeting", widget.greeting) or (live.opening_message if live else ""),
        "questions": typed.get("suggested_questions", widget.suggested_questions)
        or (live.suggested_questions if live else []),
        "colour": colour,
        "position": typed.get("position", widget.position),
        "language": typed.get("language", widget.language),
        "on": colours.on(colour),
        "contrast_words": f"{colours.contrast(colours.on(colour), colour):.1f} : 1",
        "is_darkened": colours.on_white(colour) != colour.lower(),
    }


def look_query(look: dict[str, Any]) -> str:
    """Return a look as the address of its preview."""
    shown = {name: look[name] for name in ("title", "greeting", "colour", "language")}
    return urlencode([*shown.items(), *(("question", one) for one in look["questions"])])


@needs("build")
@xframe_options_sameorigin
@csp_replace({"frame-ancestors": ["'self'"], "style-src": ["'self'", NONCE]})  # type: ignore[arg-type]
@require_safe
def preview(request: TeamRequest) -> HttpResponse:
    """The frame with the look in the address, and nothing behind it: no widget, no token, no way to send."""
    given = request.GET
    language, colour = given.get("language", ""), given.get("colour", "")
    language = language if language in LANGUAGES else DEFAULT
    colour = colours.safe_colour(colour)
    words = words_for(language)
    context = {
        "widget": {"language": language, "public_id": ""},
        "words": words,
        "title": given.get("title", "")[:LONGEST_NAME],
        "greeting": given.get("greeting", "")[:_LONGEST_OPENING] or words["greeting"],
        "questions": [one[:LONGEST_QUESTION] for one in given.getlist("question")[:MOST_QUESTIONS]],
        "look": {"colour": colour, "on": colours.on(colour), "ink": colours.on_white(colour)},
    }
    return render(request, "chat/widgets/preview.html", context)
