"""One way to ask before something happens: a dialog for htmx, a page of its own for everybody else.

Each question has an address. GET shows it, POST answers it, and an answer that cannot be used shows it again with 422.
"""

from dataclasses import dataclass, field
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows import reauthentication
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers

from console.core.errors import Refusal
from console.core.forms import status_of
from console.core.htmx import go, is_htmx


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `verb` is on the button, `back` is where Cancel leads, `remove_url` from changing to removing.

    `about` is HTML above the form, `page` what its page is called where the button does not say it.
    """

    title: str
    text: str
    verb: str
    back: str
    active: str
    back_label: str
    is_destructive: bool = False
    losses: list[str] = field(default_factory=list)
    remove_url: str = ""
    about: str = ""
    page: str = ""
    is_wide: bool = False

    @property
    def here(self) -> str:
        """What the page is called behind what it is about."""
        if self.page or self.title.startswith("New "):
            return self.page or self.title
        return "Change" if self.verb == "Save changes" else self.verb


def ask(
    request: HttpRequest, question: Question, form: forms.Form, *, page: str = "teams/question.html"
) -> HttpResponse:
    """Show the question, again where the answer cannot be used: to htmx, which swaps nothing else, with 422.

    `page` is a template that extends the usual one.
    """
    template = "teams/question.html#dialog" if is_htmx(request) else page
    context = {"question": question, "form": form, "active": question.active, "action_url": request.get_full_path()}
    status = 422 if is_htmx(request) else status_of(form)
    response = render(request, template, context, status=status if form.errors else 200)
    patch_vary_headers(response, ["HX-Request"])
    return response


def sign_in_first(request: HttpRequest) -> HttpResponse | None:
    """Return the way to sign in again, unless that was done minutes ago. The POST waits and continues afterwards."""
    if not reauthentication.is_reauthentication_required(request, app="console.teams"):
        return None
    by_htmx = is_htmx(request)
    for name in [name for name in request.META if name.startswith("HTTP_HX_")]:
        del request.META[name]  # the answer to the POST that continues is a page, not a piece
    methods = get_adapter().get_reauthentication_methods(request.user)
    response = reauthentication.suspend_request(request, methods[0]["url"] if methods else reverse("account_login"))
    return HttpResponse(status=204, headers={"HX-Redirect": response.url}) if by_htmx else response


def go_back(request: HttpRequest, url: str, refusal: Refusal) -> HttpResponse:
    """Say on the page one came from why nothing was done."""
    messages.error(request, refusal.message)
    return go(request, url)


def shown_once(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Answer a POST with a secret: in this response and nowhere else, and no cache may keep it."""
    response = render(request, f"{template}#dialog" if is_htmx(request) else template, context)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
