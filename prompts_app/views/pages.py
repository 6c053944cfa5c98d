"""The pages of a prompt: its text, one version, two compared, where it is used."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from console.catalog.access import aliases_for
from console.core import parsing
from console.core.htmx import is_htmx
from console.core.size import estimate_tokens
from console.teams.access import needs, teams_for
from console.teams.callers import Caller, TeamRequest
from prompts_app import access
from prompts_app.models import Kind, Prompt, PromptVersion
from prompts_app.queries import preview, text, usage_groups
from prompts_app.queries.comparison import compare as compare_versions
from prompts_app.text.refs import Ref
from prompts_app.text.variables import example_values
from prompts_app.views.frame import frame


@needs("view_team")
@require_safe
def prompt(request: TeamRequest, slug: str) -> HttpResponse:
    """The newest version, and everything one does with a prompt."""
    row = access.prompt_for(request.caller, slug)
    assert row.head is not None
    row.head.prompt = row
    return text_page(request, row, row.head)


@needs("view_team")
@require_safe
def version(request: TeamRequest, slug: str, number: int) -> HttpResponse:
    """One version at an address that stays valid forever."""
    row = access.prompt_for(request.caller, slug)
    return text_page(request, row, access.version_for(row, number), is_permalink=True)


def text_page(
    request: TeamRequest,
    row: Prompt,
    version: PromptVersion,
    *,
    is_permalink: bool = False,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    context = frame(request, row, "text", version=version, chosen={version.number})
    raw = "\n\n".join(message["text"] for message in version.content)
    page = context["page"]
    asked = preview.variables_of(version) if version.includes else version.variables
    return render(
        request,
        "prompts/detail.html",
        {
            **context,
            "messages_shown": text.messages(version.content),
            "raw": raw,
            "tokens": estimate_tokens(raw),
            "is_permalink": is_permalink,
            "is_newest": version.pk == row.head_id,
            "shown_labels": [label.label for label in page.labels if label.label.version_id == version.pk],
            "asked": asked,
            "own_variables": {variable["name"] for variable in version.variables},
            "includes": _includes(version, access.prompts_for(request.caller)),
            "call": _call(request.caller, row, version, asked, is_live=page.live is not None),
            "refused": refused,
        },
        status=status,
    )


def _includes(version: PromptVersion, visible: Any) -> list[dict[str, str]]:
    """Return the partials a version names, with links to those the reader can see."""
    refs = [Ref(include["slug"], include["number"], include["label"]) for include in version.includes]
    seen = set(visible.filter(slug__in={ref.slug for ref in refs}).values_list("slug", flat=True)) if refs else set()
    return [
        {"ref": str(ref), "url": reverse("prompts:prompt", args=[ref.slug]) if ref.slug in seen else ""} for ref in refs
    ]


def _call(
    caller: Caller, row: Prompt, version: PromptVersion, messages: Sequence[Mapping[str, Any]], *, is_live: bool
) -> str:
    """Return how programs use the prompt, ready to be pasted: an alias its team may call, and all it asks for.

    The version is named only while production has none, where a call without it would be refused.
    """
    if row.kind == Kind.PARTIAL:
        return f"{{{{> {row.slug}}}}}"
    values = example_values(messages)
    names = aliases_for(caller, row.team).order_by("created_at", "pk").values_list("name", flat=True)
    which = {} if is_live else {"version": version.number}
    body = {"model": names.first() or "ALIAS", "prompt": {"id": row.slug, **which, "variables": values}}
    return (
        f"curl {settings.BASE_URL}/v1/chat/completions \\\n"
        '  -H "Authorization: Bearer $FACET_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))}"
    )


@needs("view_team")
@require_safe
def compare(request: TeamRequest, slug: str) -> HttpResponse:
    """Any two versions, beside each other or in one column."""
    row = access.prompt_for(request.caller, slug)
    newest = row.head.number if row.head else 1
    new = parsing.number(request.GET.get("b", ""), newest)
    old = parsing.number(request.GET.get("a", ""), _before(row, new))
    view = "inline" if request.GET.get("view") == "inline" else "side"
    a, b = access.version_for(row, min(old, new)), access.version_for(row, max(old, new))
    address = reverse("prompts:compare", args=[slug])

    def rail_url(number: int) -> str:
        """Keep the older of the two where it can be kept: a click picks the other."""
        first, second = (a.number, number) if number > a.number else (number, b.number)
        return f"{address}?a={first}&b={second}&view={view}"

    context = {
        **frame(request, row, "compare", version=b, chosen={a.number, b.number}, rail_url=rail_url),
        "comparison": compare_versions(a, b, is_inline=view == "inline"),
        "narrow": compare_versions(a, b, is_inline=True) if view == "side" else None,
        "view": view,
        "numbers": range(newest, 0, -1) if newest <= 500 else None,
    }
    page = context["page"]
    context["old_labels"] = [label.label for label in page.labels if label.label.version_id == a.pk]
    context["new_labels"] = [label.label for label in page.labels if label.label.version_id == b.pk]
    template = "prompts/compare.html#comparison" if is_htmx(request) else "prompts/compare.html"
    return render(request, template, context)


def _before(row: Prompt, number: int) -> int:
    """Return what a version is compared with unless somebody says: what is live, else the one before."""
    live = row.labels.filter(name="production").values_list("version__number", flat=True).first()
    return live if live is not None and live < number else max(1, number - 1)


@needs("view_team")
@require_safe
def where_used(request: TeamRequest, slug: str) -> HttpResponse:
    row = access.prompt_for(request.caller, slug)
    context = frame(request, row, "where_used")
    caller = request.caller
    context["groups"] = usage_groups.groups(context["uses"], access.prompts_for(caller), teams_for(caller), caller.may)
    context["days"] = usage_groups.calls_by_day(row)
    return render(request, "prompts/where_used.html", context)
