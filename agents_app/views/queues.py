"""Queues: list, create, change, show items, park and requeue them."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents_app import access
from agents_app.forms.tools import QueueForm
from agents_app.models import QueueItem
from agents_app.queries import external_queues
from agents_app.queries import tools as queries
from agents_app.services import queues as services
from agents_app.tools.base import written_json
from agents_app.views.tool_frame import ask, frame, url_of
from console.core.errors import Refusal
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go
from console.core.ids import parse_id
from console.teams.access import needs, scope_of
from console.teams.callers import TeamRequest

PER_PAGE = 100


@needs("view_team")
@require_safe
def queues(request: TeamRequest) -> HttpResponse:
    scope = scope_of(request)
    visible, brokers = access.queues_for(request.caller), access.brokers_for(request.caller)
    if scope:
        visible, brokers = visible.filter(team=scope), brokers.filter(team=scope)
    context = {
        **frame(request, "queues"),
        "queues": queries.queue_rows(visible),
        "brokers": external_queues.broker_rows(brokers),
        "may_connect": access.teams_to_connect(request.caller).exists(),
    }
    return render(request, "agents/tools/queues.html", context)


@needs("build")
def new_queue(request: TeamRequest) -> HttpResponse:
    teams = access.building_teams(request.caller)
    form = QueueForm(posted(request), teams=teams, initial={"team": request.GET.get("team", "")})
    if form.is_valid():
        with refusals_at(form):
            queue = services.create_queue(actor=request.caller.actor, **form.cleaned_data)
            return go(request, url_of(queue), f"Created {queue.name}.")
    context = {**frame(request, "queues"), "form": form}
    return render(request, "agents/tools/queue_form.html", context, status=status_of(form))


@needs("view_team")
@require_safe
def queue(request: TeamRequest, queue_id: UUID) -> HttpResponse:
    """Its newest items; `?state=` narrows to one state. What they say is for those who may read content."""
    return _page(request, queue_id)


def _page(request: TeamRequest, queue_id: UUID, *, secret: str = "", is_renewed: bool = False) -> HttpResponse:
    row = queries.queue_rows(access.queues_for(request.caller).filter(pk=queue_id)).first()
    row = row or access.queue_for(request.caller, queue_id)
    state = request.GET.get("state", "")
    items = row.items.select_related("run").order_by("-created_at", "-id")
    if state in QueueItem.State.values:
        items = items.filter(state=state)
    if item_id := parse_id(request.GET.get("item", ""), "item_"):
        items = items.filter(pk=item_id)
    page = list(items[:PER_PAGE])
    may_read = access.may_read_items(request.caller, row.team)
    states = [(value, getattr(row, f"are_{value}"), value == state) for value in QueueItem.State.values]
    context = {
        **frame(request, "queues"),
        "queue": row,
        "state": state,
        "wanted": f"item_{item_id.hex}" if item_id else "",
        "states": states,
        "items": [(item, written_json(item.body) if may_read else "", _result(item, may_read)) for item in page],
        "seen": access.runs_seen(request.caller, (item.run_id for item in page)),
        "is_cut": len(page) == PER_PAGE,
        "may_read": may_read,
        "may_edit": request.caller.may("build", row.team_id),
        "secret": secret,
        "is_renewed": is_renewed,
    }
    response = render(request, "agents/tools/queue.html", context)
    if secret:
        response["Cache-Control"] = "no-store"
    return response


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def renew_queue_secret(request: TeamRequest, queue_id: UUID) -> HttpResponse:
    row = access.queue_for(request.caller, queue_id, to="edit")
    if request.method != "POST":
        lost = (
            "Results are signed with the new secret from now on; receivers that still check with the current one "
            "reject them."
        )
        return ask(request, "queues", "Make a new secret", row.name, lost, url_of(row), to="for")
    had_one = bool(row.secret)
    secret = services.renew_queue_secret(actor=request.caller.actor, queue=row)
    return _page(request, queue_id, secret=secret, is_renewed=had_one)


def _result(item: QueueItem, may_read: bool) -> str:
    return written_json(item.result) if may_read and item.result is not None else ""


@needs("build")
def edit_queue(request: TeamRequest, queue_id: UUID) -> HttpResponse:
    row = access.queue_for(request.caller, queue_id, to="edit")
    form = QueueForm(posted(request), queue=row)
    if form.is_valid():
        with refusals_at(form):
            services.change_queue(actor=request.caller.actor, queue=row, **form.cleaned_data)
            return go(request, url_of(row), f"Changed {form.cleaned_data['name']}.")
    context = {**frame(request, "queues"), "form": form, "queue": row}
    return render(request, "agents/tools/queue_form.html", context, status=status_of(form))


@needs("build")
def archive_queue(request: TeamRequest, queue_id: UUID) -> HttpResponse:
    row = access.queue_for(request.caller, queue_id, to="edit")
    if request.method == "POST":
        services.archive_queue(actor=request.caller.actor, queue=row)
        return go(request, reverse("agents:queues"), f"Archived {row.name}.")
    lost = "Nothing can be added to or taken from it any more; waiting items are not processed."
    return ask(request, "queues", "Archive", row.name, lost, url_of(row))


@needs("build")
@require_POST
def move_item(request: TeamRequest, item_id: UUID) -> HttpResponse:
    """Set an item aside, or put one that is set aside or failed back into its queue, as `do` says."""
    item = access.item_for(request.caller, item_id, to="edit")
    try:
        if request.POST.get("do") == "park":
            services.park(actor=request.caller.actor, item=item)
            message = "Parked: nobody takes it."
        else:
            services.requeue(actor=request.caller.actor, item=item)
            message = "Requeued: it can be taken again."
    except Refusal as refusal:
        message = refusal.message
    return go(request, url_of(item.queue), message)
