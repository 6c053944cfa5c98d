"""Confirmations: deleting a widget, creating and deleting its secret."""

import uuid

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.chat import access
from console.chat.models import Widget
from console.chat.services import widgets as services
from console.core.errors import Refusal
from console.core.forms import posted
from console.core.htmx import go
from console.teams.access import needs
from console.teams.callers import TeamRequest
from console.teams.forms.base import Confirm
from console.teams.views.questions import Question, ask, go_back, shown_once


def _question(widget: Widget, title: str, text: str, verb: str, *, is_destructive: bool = False) -> Question:
    return Question(
        title=title,
        text=text,
        verb=verb,
        back=reverse("chat:widget", args=[widget.pk]),
        back_label=widget.name,
        active="widgets",
        is_destructive=is_destructive,
    )


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: TeamRequest, widget_id: uuid.UUID) -> HttpResponse:
    found = access.widget_for(request.caller, widget_id, to="edit")
    if request.method == "POST":
        services.delete_widget(actor=request.caller.actor, widget=found)
        return go(request, reverse("chat:widgets"), f"Deleted {found.name}.")
    text = (
        "It stops answering, and its visitors' conversations are erased. The audit log keeps the records of its"
        " calls. To pause it, switch it off instead."
    )
    return ask(
        request, _question(found, f"Delete {found.name}?", text, "Delete widget", is_destructive=True), Confirm()
    )


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def make_secret(request: TeamRequest, widget_id: uuid.UUID) -> HttpResponse:
    """Make the secret, or another one in its place, and show it once."""
    found = access.widget_for(request.caller, widget_id, to="edit")
    if request.method == "POST":
        _, text = services.make_identity_secret(actor=request.caller.actor, widget=found)
        context = {"active": "widgets", "widget": found, "text": text}
        return shown_once(request, "chat/widgets/secret.html", context)
    text = "Your site's server signs visitor ids with it. It is shown only once."
    if found.identity_secret:
        text += " Signatures made with the current secret stop working at once."
    verb = "Replace the secret" if found.identity_secret else "Make the secret"
    question = _question(found, f"{verb}?", text, verb, is_destructive=bool(found.identity_secret))
    return ask(request, question, Confirm(posted(request)))


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def forget_secret(request: TeamRequest, widget_id: uuid.UUID) -> HttpResponse:
    found = access.widget_for(request.caller, widget_id, to="edit")
    back = reverse("chat:widget", args=[found.pk])
    if request.method == "POST":
        try:
            services.forget_identity_secret(actor=request.caller.actor, widget=found)
        except Refusal as refusal:
            return go_back(request, back, refusal)
        return go(request, back, "Deleted the secret. Visitors are anonymous now.")
    text = "Visitors can no longer be verified; they are recognised by their browser only."
    return ask(
        request, _question(found, "Delete the secret?", text, "Delete the secret", is_destructive=True), Confirm()
    )
