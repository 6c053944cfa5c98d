"""Answer htmx with a partial and others with a redirect, and show the result in a toast."""

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

STOP_POLLING = 286  # the status that tells htmx to ask no more


def is_htmx(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False))


def toast(response: HttpResponse, text: str, tone: str = "ok") -> HttpResponse:
    """Have the page show a toast. Tones: ok (goes after 5 s), bad (stays)."""
    response["HX-Trigger"] = json.dumps({"toast": {"text": text, "tone": tone}})
    return response


def done(
    request: HttpRequest, url: str, template: str, context: dict[str, Any], message: str = "", *, push: bool = False
) -> HttpResponse:
    """Finish a successful POST: the partial `page.html#piece` for htmx, a redirect to `url` for everybody else."""
    if not is_htmx(request):
        if message:
            messages.success(request, message)
        return redirect(url)
    response = render(request, template, context)
    if push:
        response["HX-Push-Url"] = url
    return toast(response, message) if message else response


def go(request: HttpRequest, url: str, message: str = "") -> HttpResponse:
    """Finish a successful POST by leaving for another page, with or without htmx."""
    if message:
        messages.success(request, message)
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)
