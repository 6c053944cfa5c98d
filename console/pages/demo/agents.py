"""Create the demo's assistants through the services."""

from dataclasses import dataclass, field
from typing import Any

from agents_app.models import Agent, Audience
from agents_app.services.agents import create_agent
from agents_app.services.drafts import save_draft
from agents_app.services.versions import publish_agent
from console.teams.actors import Actor
from console.teams.models import Team, User


@dataclass(frozen=True, slots=True)
class DemoAgent:
    """An assistant and its versions: each changes some fields and says why. The last may be a draft."""

    slug: str
    name: str
    about: str
    team: str
    by: str
    states: tuple[tuple[dict[str, Any], str], ...]  # an empty message: still a draft
    audience: str = Audience.TEAM
    shared_with: tuple[str, ...] = field(default=())


AGENTS = (
    DemoAgent(
        "support-assistant",
        "Support assistant",
        "Answers customers about orders, returns and refunds.",
        "support",
        "tomas.lind@demo.example",
        (
            (
                {
                    "prompt_slug": "support/assistant",
                    "prompt_label": "production",
                    "prompt_variables": {"company": "Larkfield"},
                    "alias": "support-chat",
                    "parameters": {"temperature": 0.2},
                    "limits": {"output_tokens": 400, "messages": 40},
                    "opening_message": "Hello! Ask me about an order, a return or a refund.",
                    "suggested_questions": ["Where is my order?", "How do I send something back?"],
                },
                "First version",
            ),
            (
                {"limits": {"output_tokens": 300, "messages": 40}, "knowledge": ["support"]},
                "Shorter answers, and from our documents",
            ),
            ({"opening_message": "Hello! What went wrong with your order?"}, ""),
        ),
        Audience.TEAMS,
        ("marketing",),
    ),
    DemoAgent(
        "demo-log-watcher",
        "Log watcher",
        "Looks into alerts, and asks before it restarts anything.",
        "operations",
        "jonas.weber@demo.example",
        (
            (
                {
                    "prompt_slug": "operations/log-watcher",
                    "prompt_label": "production",
                    "alias": "ops-triage",
                    "parameters": {"temperature": 0},
                    "limits": {"steps": 20, "tokens": 60_000, "cost_micros": 200_000, "approval_seconds": 7 * 86_400},
                    "grants": [
                        {"tool": "read_logs", "mode": "allow"},
                        {"tool": "query_metrics", "mode": "allow"},
                        {
                            "tool": "restart_service",
                            "mode": "ask",
                            "arguments": {
                                "service": {"one_of": ["checkout-worker", "mail-worker"]},
                                "region": {"equals": "eu-1"},
                            },
                            "editable": ["drain"],
                            "most_calls": 2,
                        },
                    ],
                },
                "Restarts ask a person",
            ),
        ),
    ),
    DemoAgent(
        "demo-campaign-planner",
        "Campaign planner",
        "Plans a page, has its sections written, and stores them as drafts.",
        "marketing",
        "ines.okafor@demo.example",
        (
            (
                {
                    "prompt_slug": "marketing/campaign-planner",
                    "prompt_label": "production",
                    "alias": "campaign-copy",
                    "limits": {"steps": 30, "tokens": 200_000, "cost_micros": 1_000_000},
                    "grants": [
                        {"tool": "write_section", "mode": "allow"},
                        {"tool": "store_draft", "mode": "allow", "most_calls": 6},
                    ],
                },
                "Drafts only",
            ),
        ),
    ),
)


def slugs_of_strangers() -> list[str]:
    """Return the demo's names that people have given to agents of their own."""
    taken = Agent.objects.filter(slug__in=[one.slug for one in AGENTS], team__is_demo=False)
    return list(taken.values_list("slug", flat=True))


def make_agents(teams: dict[str, Team], people: dict[str, User]) -> None:
    """Make what is missing."""
    have = set(Agent.objects.filter(team__in=teams.values()).values_list("slug", flat=True))
    for wanted in AGENTS:
        if wanted.slug not in have:
            _make(wanted, teams, people[wanted.by])


def _make(wanted: DemoAgent, teams: dict[str, Team], person: User) -> None:
    actor = Actor(kind="user", id=person.pk, name=person.name)
    agent = create_agent(
        actor=actor,
        team=teams[wanted.team],
        slug=wanted.slug,
        name=wanted.name,
        description=f"Demo. {wanted.about}",
        audience=wanted.audience,
        shared_with=[teams[slug] for slug in wanted.shared_with],
    )
    for fields, message in wanted.states:
        agent.draft.refresh_from_db()
        draft = save_draft(actor=actor, agent=agent, seen_revision=agent.draft.revision, **fields)
        if message:
            publish_agent(actor=actor, agent=agent, message=message, seen_revision=draft.revision)
