"""Downloads of the audit log, for its page and the management API."""

from collections.abc import Iterator

from django.http import StreamingHttpResponse

from console.core.clock import now
from console.core.downloads import download
from console.core.errors import BadInput, NotAllowed
from console.teams.callers import TeamRequest
from usage_app.forms.audit import AuditFilterForm
from usage_app.queries.audit import export as exports
from usage_app.services import audit as services


def send_export(request: TeamRequest, form: AuditFilterForm) -> StreamingHttpResponse:
    """Stream what a valid filter finds: as the query says, in which `format` and whether with content (`content=1`).

    That it was begun is recorded at once, how many records were sent at its end.
    """
    kind = request.GET.get("format", "csv")
    if kind not in {"csv", "jsonl"}:
        raise BadInput("format is csv or jsonl.", param="format")
    content = request.GET.get("content") == "1"
    if content and not form.sight.may_read_content_of_all():
        raise NotAllowed("Your role may not read content in all of these teams. Export without inputs and outputs.")
    criteria = form.criteria()
    actor, team = request.caller.actor, form.sight.scope
    export = services.begin_export(
        actor=actor,
        team=team,
        form=kind,
        content=content,
        chosen={name: value for name, _, value in form.words()},
    )

    def pieces() -> Iterator[bytes]:
        sent = 0
        if kind == "csv":
            yield exports.head(content=content)
        is_complete = True
        try:
            for chunk in exports.rows(criteria, content=content):
                yield exports.as_csv(chunk) if kind == "csv" else exports.as_jsonl(chunk)
                sent += len(chunk)
        except exports.Incomplete as stopped:
            is_complete = False
            yield exports.incomplete(stopped, kind)
        services.end_export(actor=actor, team=team, export=export, rows=sent, is_complete=is_complete)

    content_type = "text/csv" if kind == "csv" else "application/jsonl"
    response = download(request, pieces(), f"audit-{now():%Y-%m-%d-%H%M}.{kind}", content_type)
    response["Cache-Control"] = "no-store"
    return response
