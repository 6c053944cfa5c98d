"""Prompts: list, create, show, change, delete, render, and where they are used."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from console.api.manage.base import Endpoint, listed
from console.api.manage.prompts.base import PromptEndpoint, with_labels
from console.api.manage.prompts.shapes import (
    NewPromptSerializer,
    PromptChangeSerializer,
    PromptFiguresSerializer,
    PromptSerializer,
    RenderedSerializer,
    RenderSerializer,
    UseSerializer,
    WhereUsedSerializer,
)
from console.core.errors import BadInput
from console.playground.drafts import drafted
from console.teams import access as teams_access
from console.teams.models import ApiKey, Environment
from prompts_app import access, where_used
from prompts_app.models import Kind, Prompt
from prompts_app.queries.figures import SPANS, figures, first_day
from prompts_app.queries.listing import SORTS, Filters, listing, parse_cursor
from prompts_app.rendering import fill_now
from prompts_app.services import prompts
from prompts_app.services.common import person_of
from prompts_app.text.refs import Ref, check_label

_FILTERS = [
    OpenApiParameter("q", str, description="Words of names, descriptions and texts."),
    OpenApiParameter("folder", str, description="Prompts whose names begin with this and a slash."),
    OpenApiParameter("team", str),
    OpenApiParameter("label", str),
    OpenApiParameter("tag", str),
    OpenApiParameter("kind", str, enum=Kind.values),
    OpenApiParameter("unused", bool, description="Only prompts without a call in the last 30 days."),
    OpenApiParameter("sort", str, enum=list(SORTS), description="use unless given"),
    OpenApiParameter("cursor", str),
]


def _shape(prompt: Prompt) -> dict[str, Any]:
    return dict(PromptSerializer(with_labels(Prompt.objects.filter(pk=prompt.pk)).get()).data)


class Prompts(Endpoint):
    needs, needs_to = "view_team", {"POST": "build"}

    @extend_schema(
        operation_id="list_prompts",
        summary="List prompts, 50 a page",
        parameters=_FILTERS,
        responses=listed(PromptSerializer),
    )
    def get(self, request: Any) -> Response:
        parameters = request.query_params
        rows = self.of_team(access.prompts_for(self.caller))
        filters = Filters(
            words=parameters.get("q", "").strip(),
            folder=parameters.get("folder", "").strip("/"),
            label=parameters.get("label", ""),
            tag=parameters.get("tag", ""),
            kind=self.choice("kind", Kind.values),
            is_unused=self.flag("unused"),
            sort=self.choice("sort", SORTS, "use"),
        )
        page = listing(rows, filters, parse_cursor(parameters.get("cursor", "")))
        prompts = [row.prompt for row in page.rows]
        return Response({"data": PromptSerializer(prompts, many=True).data, "next": page.after})

    @extend_schema(
        summary="Create a prompt with its first version",
        request=NewPromptSerializer,
        responses={201: PromptSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.read(NewPromptSerializer)
        body["team"] = teams_access.team_for(self.caller, body["team"], to="build")
        return Response(_shape(prompts.create_prompt(actor=self.actor, **body)), status=201)


class OnePrompt(PromptEndpoint):
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(summary="Show a prompt", responses=PromptSerializer)
    def get(self, request: Any, slug: str) -> Response:
        return Response(_shape(self.prompt(slug)))

    @extend_schema(summary="Change a prompt", request=PromptChangeSerializer, responses=PromptSerializer)
    def patch(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug, "edit")
        body = self.read(PromptChangeSerializer)
        if "covers" in body:
            body["covers"] = [teams_access.team_for(self.caller, team) for team in body["covers"]]
        if "covers" in body or "is_required" in body:
            prompt = self.prompt(slug, "rule")
        access.check_may_require(self.caller, prompt, is_required=body.get("is_required"), covers=body.get("covers"))
        return Response(_shape(prompts.change_prompt(actor=self.actor, prompt=prompt, **body)))

    @extend_schema(summary="Delete a prompt nothing uses", responses={204: None})
    def delete(self, request: Any, slug: str) -> Response:
        prompts.delete_prompt(actor=self.actor, prompt=self.prompt(slug, "edit"))
        return Response(status=204)


class Render(PromptEndpoint):
    @extend_schema(
        operation_id="render_prompt",
        summary="Put values and partials in place and return the messages",
        request=RenderSerializer,
        responses=RenderedSerializer,
    )
    def post(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug)
        body = self.read(RenderSerializer)
        if body["version"] is not None and body["label"] is not None:
            raise BadInput("Name a version or a label, not both.", param="version")
        if body["draft"]:
            return self._draft(prompt, body)
        label = check_label(body["label"]) if body["label"] is not None else None
        if body["version"] is not None:
            self.version(prompt, body["version"])
        environment = body.get("environment") or self._environment()
        filled = fill_now(prompt.team_id, Ref(prompt.slug, body["version"], label), environment, body["variables"])
        rendered = filled.rendered
        return Response(
            {
                "prompt": filled.version.ref,
                "messages": rendered.messages,
                "took_part": rendered.took_part,
                "parameters": filled.version.parameters,
            }
        )

    def _draft(self, prompt: Prompt, body: dict[str, Any]) -> Response:
        """Put values into one's own draft: what the playground would send of it."""
        if body["version"] is not None or body["label"] is not None:
            raise BadInput("Name a version, a label or the draft, not two of them.", param="draft")
        draft = drafted(prompt, person_of(self.actor))
        return Response(
            {
                "prompt": prompt.slug,
                "messages": draft.text.rendered(body["variables"]),
                "took_part": [{"slug": partial.slug, "number": partial.number} for partial in draft.text.partials],
                "parameters": draft.parameters,
            }
        )

    def _environment(self) -> str:
        key = ApiKey.objects.filter(pk=self.caller.key_id).first() if self.caller.key_id else None
        return key.environment if key else "production"


class RenderBelow(Render):
    """The same among what stands below a prompt, for those whose names end in `/render`."""

    @extend_schema(exclude=True)
    def post(self, request: Any, slug: str) -> Response:
        return super().post(request, slug)


class RenderByPath(OnePrompt, Render):
    """Posting renders; all else means a prompt whose own name ends in `/render`."""

    @extend_schema(exclude=True)
    def get(self, request: Any, slug: str) -> Response:
        return super().get(request, f"{slug}/render")

    @extend_schema(exclude=True)
    def patch(self, request: Any, slug: str) -> Response:
        return super().patch(request, f"{slug}/render")

    @extend_schema(exclude=True)
    def delete(self, request: Any, slug: str) -> Response:
        return super().delete(request, f"{slug}/render")


class Figures(PromptEndpoint):
    needs = "view_usage"

    @extend_schema(
        operation_id="prompt_figures",
        summary="Show how the versions of a prompt do, beside each other",
        description=(
            "Of the calls the caller's teams made with it in the last days, today until now, UTC, without those of the "
            "playground and of tests; the newest version first. Ratings are of those calls."
        ),
        parameters=[
            OpenApiParameter("days", int, enum=list(SPANS), description=f"{SPANS[0]} when missing."),
            OpenApiParameter("environment", str, enum=Environment.values, description="production when missing."),
        ],
        responses=PromptFiguresSerializer,
    )
    def get(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug)
        days = int(self.choice("days", [str(span) for span in SPANS], str(SPANS[0])))
        environment = self.choice("environment", Environment.values, Environment.PRODUCTION)
        rows = figures(prompt, days=days, environment=environment, teams=access.teams_counted(self.caller))
        content = {"days": days, "since": first_day(days), "environment": environment, "data": rows}
        return Response(PromptFiguresSerializer(content).data)


class WhereUsed(PromptEndpoint):
    @extend_schema(operation_id="prompt_where_used", summary="List what uses a prompt", responses=WhereUsedSerializer)
    def get(self, request: Any, slug: str) -> Response:
        uses = where_used.uses_of(self.prompt(slug))
        mine = {team.pk for team in teams_access.teams_for(self.caller)}
        visible = [use for use in uses if use.team_id is None or use.team_id in mine]
        return Response({"data": UseSerializer(visible, many=True).data, "hidden": len(uses) - len(visible)})
