"""The audit log: the list, a record, its content, the live view and the export."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.core.signing import BadSignature, Signer, TimestampSigner
from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_POST, require_safe

from console.audit.models import AuditEvent, EventType, Status
from console.audit.search import Criteria
from console.audit.services.ratings import is_answer
from console.audit.sql import search
from console.core.clock import now
from console.core.errors import BadInput, NotFound
from console.core.htmx import STOP_POLLING, go, is_htmx
from console.core.ids import parse_request_id, parse_response_id, request_id
from console.core.sql import TooSlow
from console.teams.access import needs
from console.teams.callers import Caller, TeamRequest
from usage_app import access_audit as access
from usage_app.downloads import send_export
from usage_app.forms.audit import AuditFilterForm
from usage_app.forms.ratings import RatingForm
from usage_app.queries.audit import content as contents
from usage_app.queries.audit.listing import Listing, head, listing, parse_cursor
from usage_app.queries.audit.ratings import own_rating, ratings_of
from usage_app.queries.audit.record import record, response_of
from usage_app.queries.audit.summaries import Line
from usage_app.queries.costs import costs_of_end_user
from usage_app.services import audit as services
from usage_app.services import ratings as services_of_ratings

_LIST = "usage/audit.html"
# A live view ends by itself after so many questions, two seconds apart: a forgotten tab asks for half an hour.
_MOST_POLLS = 900
_TAIL_ROWS = 100
_READING = 3600  # seconds for which pictures of a record whose reading is recorded are part of that


def _chips(form: AuditFilterForm, params: QueryDict) -> list[dict[str, str]]:
    """Return what is set, each with the address without it."""
    chips = []
    if form.sight.scope:
        chips.append(("team", "Team", form.sight.scope.name))
    chips += form.words()
    found = []
    for name, label, value in chips:
        rest = params.copy()
        for gone in (name, "cursor"):
            rest.pop(gone, None)
        found.append({"label": label, "value": value, "url": f"{reverse('usage:audit')}?{rest.urlencode()}"})
    return found


def _context(request: TeamRequest, form: AuditFilterForm, page: Listing | None) -> dict[str, Any]:
    params = request.GET.copy()
    params.pop("cursor", None)
    params.pop("live", None)
    return {
        "active": "audit",
        "form": form,
        "page": page,
        "chips": _chips(form, request.GET),
        "head": head(is_operator=request.caller.is_operator),
        "filter_query": params.urlencode(),
        "sight": form.sight,
        "is_live": False,
    }


def _jump(request: TeamRequest, text: str, types: Collection[str]) -> str:
    """Return the address of the record a pasted id names, or nothing when there is none for this caller.

    A response in the background may have several records, which are listed; so are those of other kinds that name one,
    where kinds are asked for that it is none of: who read it, say.
    """
    identifier = (parse_response_id(text) or parse_request_id(text)) if len(text) >= 32 else None
    if identifier is None:
        return ""
    try:
        event = access.event_for(request.caller, request_id(identifier))
    except Http404:
        return ""
    if (parse_response_id(text) and response_of(event)) or (types and event.type not in types):
        return ""
    return reverse("usage:audit_record", args=[request_id(event.pk)])


@needs("view_audit")
@require_safe
def audit(request: TeamRequest) -> HttpResponse:
    """The list. `live=1` begins the live view at its newest end. Closing the drawer leaves the list as it is."""
    if is_htmx(request) and request.htmx.target == "drawer":
        return render(request, f"{_LIST}#drawer")
    sight = access.sight_for(request.caller, request.GET.get("team", ""))
    form = AuditFilterForm(request.GET, sight=sight)
    cursor = parse_cursor(request.GET.get("cursor", ""))
    if not form.is_valid():
        return render(request, _LIST, _context(request, form, None), status=422)
    criteria = form.criteria()
    if url := _jump(request, criteria.text, criteria.types):
        return go(request, url)
    _note_search(request, form, criteria)
    context = _context(request, form, listing(criteria, cursor))
    if criteria.end_user:
        context["spent"] = costs_of_end_user(
            access.teams_with_costs(request.caller, sight), criteria.end_user, now().date()
        )
    if request.GET.get("live") == "1" and cursor is None:
        context |= {"is_live": True, "tail_url": _tail_url(request, context["filter_query"], search.horizon(), 0)}
    template = f"{_LIST}#list" if is_htmx(request) and request.htmx.target == "list" else _LIST
    return render(request, template, context)


def _note_search(request: TeamRequest, form: AuditFilterForm, criteria: Criteria) -> None:
    """Record a search that looks into content: every page of it, since a cursor can be made up."""
    if criteria.text and criteria.content_team_ids != ():
        services.search_content(actor=request.caller.actor, team=form.sight.scope, text=criteria.text)


def _proof(request: TeamRequest, filter_query: str) -> str:
    """Return what shows that this person's search by this filter is recorded, so that each look again need not be."""
    return Signer(salt="usage.audit.tail").signature(f"{request.caller.actor.id} {filter_query}")


def _tail_url(request: TeamRequest, filter_query: str, tx: int, polls: int) -> str:
    return f"{reverse('usage:audit_tail')}?{filter_query}{'&' if filter_query else ''}" + urlencode(
        {"after": tx, "polls": polls, "proof": _proof(request, filter_query)}
    )


@needs("view_audit")
@require_safe
def tail(request: TeamRequest) -> HttpResponse:
    """What was committed since the last question, as rows above the others. 286 ends the questions."""
    sight = access.sight_for(request.caller, request.GET.get("team", ""))
    form = AuditFilterForm(request.GET, sight=sight)
    try:
        after, polls = int(request.GET.get("after", "")), int(request.GET.get("polls", ""))
    except ValueError:
        raise BadInput("The live view lost its place. Reload the page.") from None
    if not form.is_valid() or not 0 <= after < 1 << 62:
        raise BadInput("The live view lost its place. Reload the page.")
    params = request.GET.copy()
    for name in ("after", "polls", "proof"):
        params.pop(name, None)
    criteria = form.criteria()
    if not constant_time_compare(request.GET.get("proof", ""), _proof(request, params.urlencode())):
        criteria = replace(criteria, content_team_ids=())  # no page of ours asked, so no search of it is recorded
    try:
        events, tx = search.since(criteria, after, _TAIL_ROWS)
    except TooSlow:
        events, tx = [], after
    is_over = polls >= _MOST_POLLS
    context = {
        "lines": [Line(event) for event in events],
        "filter_query": params.urlencode(),
        "tail_url": _tail_url(request, params.urlencode(), tx, polls + 1),
        "is_over": is_over,
        "is_more": len(events) == _TAIL_ROWS,
    }
    return render(request, f"{_LIST}#tail", context, status=STOP_POLLING if is_over else 200)


def _criteria_beside(request: TeamRequest) -> tuple[AuditFilterForm, Criteria | None]:
    """Return the filter of the list a record was opened from; a broken one only loses the arrows."""
    sight = access.sight_for(request.caller, request.GET.get("team", ""))
    form = AuditFilterForm(request.GET, sight=sight)
    return form, form.criteria() if form.is_valid() else None


def _rating_of(request: TeamRequest, event: AuditEvent) -> dict[str, Any]:
    """Return what was said of an answer, and what the reader may say of it."""
    caller = request.caller
    return {
        "ratings": ratings_of([event.pk]).get(event.pk, []),
        "own_rating": own_rating(caller, event.pk),
        "may_rate": is_answer(event) and event.team_id is not None and access.may_rate(caller, event),
        "may_read": caller.may("read_content", event.team_id),
    }


def _may_follow(caller: Caller, event: AuditEvent) -> bool:
    """Say whether a call answered in a conversation the reader may read: a visitor's of their team, or their own."""
    if event.type != EventType.CHAT or event.status == Status.REFUSED:
        return False
    if event.surface == "widget":
        return caller.may("use_models", event.team_id) or caller.may("read_content", event.team_id)
    return event.surface == "chat" and caller.user is not None and event.actor_id == caller.user.pk


def _show_record(request: TeamRequest, reference: str, *, with_content: bool) -> HttpResponse:
    event = access.event_for(request.caller, reference, to="read_content" if with_content else "view_audit")
    form, criteria = _criteria_beside(request)
    if criteria is not None:
        _note_search(request, form, criteria)  # the neighbours, and the list beside it, are found by the same text
    found = record(event, criteria)
    context: dict[str, Any] = {
        "record": found,
        "line": found.line,
        "may_follow": _may_follow(request.caller, event),
        "may_ask": found.asks_for_words and request.caller.may("use_models"),
        "filter_query": request.GET.urlencode(),
        **_rating_of(request, event),
    }
    if with_content:
        services.read_content(actor=request.caller.actor, event=event)
        context |= {"panes": contents.panes(event), "reading": _reading(request).sign(request_id(event.pk))}
    if is_htmx(request):
        name = "content" if request.htmx.target == "content" else "drawer"
        return render(request, f"{_LIST}#{name}", context)
    cursor = parse_cursor(request.GET.get("cursor", ""))
    page = listing(criteria, cursor) if criteria else None
    return render(request, _LIST, _context(request, form, page) | context)


@needs("view_audit")
@require_safe
def audit_record(request: TeamRequest, reference: str) -> HttpResponse:
    """One record: everything but its content, which is read by an explicit step."""
    return _show_record(request, reference, with_content=False)


@needs("view_audit")
@require_safe
def audit_content(request: TeamRequest, reference: str) -> HttpResponse:
    """The record with its input and output. That somebody read them is recorded."""
    return _show_record(request, reference, with_content=True)


@needs("view_audit")
@require_safe
def audit_picture(request: TeamRequest, reference: str, kind: str, number: int) -> HttpResponse:
    """One picture of an input or output, as what its first bytes say it is. Without the word of a page that recorded
    that this person reads the record (`reading`), this is recorded as a reading of its own.
    """
    event = access.event_for(request.caller, reference, to="read_content")
    found = contents.picture_at(event, kind, number)
    if found is None:
        raise NotFound("There is no such image, or it is too large to show.")
    try:
        is_on_record = _reading(request).unsign(request.GET.get("reading", ""), max_age=_READING) == reference
    except BadSignature:
        is_on_record = False
    if not is_on_record:
        services.read_content(actor=request.caller.actor, event=event)
    response = HttpResponse(found[0], content_type=found[1])
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _reading(request: TeamRequest) -> TimestampSigner:
    """Return what signs that somebody's reading of a record is recorded."""
    return TimestampSigner(salt=f"usage.audit.reading {request.caller.actor.id}")


@needs("use_models")
@require_POST
def rate(request: TeamRequest, reference: str) -> HttpResponse:
    """Say of the answer of a record that it is good or bad, and why; or take that back."""
    event = access.answer_for(request.caller, reference)
    form = RatingForm(request.POST)
    context: dict[str, Any] = {"reference": request_id(event.pk), "rating_form": form}
    if form.is_valid():
        services_of_ratings.rate(actor=request.caller.actor, answer=event, word=form.word())
    if not is_htmx(request):
        for name, complaints in form.errors.items():
            raise BadInput(str(complaints[0]), param=name)
        return redirect("usage:audit_record", reference=context["reference"])
    context |= _rating_of(request, event)
    return render(request, "usage/_ratings.html", context, status=200 if form.is_valid() else 422)


@needs("view_audit")
@require_safe
def audit_export(request: TeamRequest) -> StreamingHttpResponse:
    """The present filter's records as a file, streamed."""
    sight = access.sight_for(request.caller, request.GET.get("team", ""))
    form = AuditFilterForm(request.GET, sight=sight)
    if not form.is_valid():
        raise BadInput("The export needs a valid filter.")
    return send_export(request, form)
