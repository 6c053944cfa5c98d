"""Create the demo's tools through the services. Their addresses never resolve, so nothing is called."""

from dataclasses import dataclass
from typing import Any

from agents_app.models import Tool
from agents_app.services.tools import create_tool
from console.teams.actors import Actor
from console.teams.models import Team, User

_TEXT = {"type": "string", "maxLength": 200}


@dataclass(frozen=True, slots=True)
class DemoTool:
    slug: str
    team: str
    by: str
    kind: str
    about: str
    effect: str
    config: dict[str, Any]
    properties: dict[str, Any]


TOOLS = (
    DemoTool(
        "read_logs",
        "operations",
        "jonas.weber@demo.example",
        "http",
        "The newest lines of a service's log.",
        "read",
        {"method": "GET", "url": "https://logs.ops.demo.example/{service}?minutes={minutes}"},
        {"service": _TEXT, "minutes": {"type": "integer", "minimum": 1, "maximum": 120}},
    ),
    DemoTool(
        "query_metrics",
        "operations",
        "jonas.weber@demo.example",
        "http",
        "One figure of a service over time.",
        "read",
        {"method": "GET", "url": "https://metrics.ops.demo.example/{service}/{figure}"},
        {"service": _TEXT, "figure": {"type": "string", "enum": ["queue_depth", "cpu", "memory", "errors"]}},
    ),
    DemoTool(
        "restart_service",
        "operations",
        "jonas.weber@demo.example",
        "http",
        "Restart a service in one region; with drain, jobs in flight finish first.",
        "write",
        {"method": "POST", "url": "https://runbooks.ops.demo.example/restart", "body": "rest"},
        {"service": _TEXT, "region": _TEXT, "drain": {"type": "boolean"}},
    ),
    DemoTool(
        "write_section",
        "marketing",
        "ines.okafor@demo.example",
        "completion",
        "Have one section written from a short brief.",
        "read",
        {"alias": "campaign-copy", "output_tokens": 800},
        {},
    ),
    DemoTool(
        "store_draft",
        "marketing",
        "ines.okafor@demo.example",
        "http",
        "Keep a text in the CMS as a draft.",
        "write",
        {"method": "POST", "url": "https://cms.demo.example/drafts", "body": "rest"},
        {"title": _TEXT, "text": {"type": "string", "maxLength": 8_000}},
    ),
)


def make_tools(teams: dict[str, Team], people: dict[str, User]) -> None:
    """Make what is missing."""
    have = set(Tool.objects.filter(team__in=teams.values(), deleted_at=None).values_list("team__slug", "slug"))
    for wanted in TOOLS:
        if (wanted.team, wanted.slug) not in have:
            _make(wanted, teams[wanted.team], people[wanted.by])


def _make(wanted: DemoTool, team: Team, person: User) -> None:
    parameters = {
        "type": "object",
        "properties": wanted.properties,
        "required": list(wanted.properties),
        "additionalProperties": False,
    }
    create_tool(
        actor=Actor(kind="user", id=person.pk, name=person.name),
        team=team,
        kind=wanted.kind,
        slug=wanted.slug,
        name=wanted.slug.replace("_", " ").capitalize(),
        description=f"Demo. {wanted.about}",
        effect=wanted.effect,
        config=wanted.config,
        parameters=parameters if wanted.properties else {},
    )
