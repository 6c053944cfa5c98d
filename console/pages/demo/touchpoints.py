"""Create the demo's inventory: expectations of its keys, and places to migrate."""

from dataclasses import dataclass

from agents_app.models import Agent
from console.audit import actions
from console.audit.models import AuditEvent
from console.chat.models import Widget
from console.teams.actors import Actor
from console.teams.models import ApiKey, Team, User
from console.touchpoints.models import Expected, Kind, LegacyTouchpoint, Status
from console.touchpoints.services.expectations import set_expectation
from console.touchpoints.services.legacy import change_legacy, create_legacy

_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A place that is not on Facet. What is migrated names the key that has its work."""

    team: str
    by: str
    name: str
    place: str
    kind: str
    model: str
    owner: str
    expected: str
    spend: int | None  # a month, in units of currency
    status: str = Status.PLANNED
    key: str = ""


PLACES = (
    Place(
        "support",
        "tomas.lind@demo.example",
        "Chat bubble of the old help site",
        "help-old.larkfield.example",
        Kind.CHAT,
        "Otherhost chat-1",
        "Tomas Lind",
        Expected.REAL_TIME,
        640,
        Status.MIGRATING,
    ),
    Place(
        "support",
        "tomas.lind@demo.example",
        "Ticket summaries",
        "cron on batch-2, every night",
        Kind.SCHEDULED,
        "Otherhost text-2",
        "Ada Nwosu",
        Expected.OVERNIGHT,
        210,
        Status.MIGRATED,
        "ticket-to-article",
    ),
    Place(
        "support",
        "tomas.lind@demo.example",
        "Macros written by a plug-in",
        "the ticket system’s app store",
        Kind.API,
        "",
        "Nobody any more",
        "",
        95,
        Status.RETIRED,
    ),
    Place(
        "marketing",
        "mei.tanaka@demo.example",
        "Headline helper",
        "a plug-in of the CMS",
        Kind.API,
        "Meridian meridian-large-2026-10-28",
        "Ines Okafor",
        Expected.SECONDS,
        180,
    ),
    Place(
        "marketing",
        "mei.tanaka@demo.example",
        "Translations of the newsletter",
        "a spreadsheet with a script",
        Kind.SCHEDULED,
        "Otherhost text-2",
        "Mei Tanaka",
        Expected.MINUTES,
        75,
    ),
    Place(
        "operations",
        "jonas.weber@demo.example",
        "Log digest",
        "a notebook on the jump host",
        Kind.AGENT,
        "Northgate northgate-mini-4.1",
        "Jonas Weber",
        Expected.MINUTES,
        None,
    ),
)
# Of keys, by team and name: what is expected, who answers, what for.
EXPECTED = (
    ("support", "help-app", Expected.REAL_TIME, "Ada Nwosu", "Answers in the help app"),
    ("support", "ticket-to-article", Expected.MINUTES, "Tomas Lind", "Articles from tickets that are closed"),
    ("marketing", "copy-tool", Expected.REAL_TIME, "Ines Okafor", "Drafts while somebody types"),
    ("operations", "grafana alerts", Expected.SECONDS, "Jonas Weber", "One line about an alert"),
    ("operations", "log-watcher", Expected.SECONDS, "Jonas Weber", "Triage of new lines of the log"),
)
# Of the agents of a team. The last is slower than somebody hoped.
AGENTS = (
    ("marketing", Expected.MINUTES, "Mei Tanaka", "A campaign from one line"),
    ("operations", Expected.REAL_TIME, "Jonas Weber", "A first look, while somebody is on the line"),
)
_NOTE = "Demo: there is no such place."


def make_touchpoints(teams: dict[str, Team], people: dict[str, User], keys: dict[tuple[str, str], ApiKey]) -> None:
    """List the places and say what is expected, once: who took them off the list does not find them there again."""
    listed = AuditEvent.objects.filter(action=actions.LEGACY_CREATED.name, team_id__in=[t.pk for t in teams.values()])
    if listed.exists() or LegacyTouchpoint.objects.filter(team__in=teams.values()).exists():
        return
    for one in PLACES:
        person = people[one.by]
        actor = Actor(kind="user", id=person.pk, name=person.name)
        made = create_legacy(
            actor=actor,
            team=teams[one.team],
            name=f"{one.name} (demo)",
            kind=one.kind,
            place=one.place,
            model=one.model,
            owner=one.owner,
            expected=one.expected,
            spend_micros=None if one.spend is None else one.spend * _MICROS,
            notes=_NOTE,
            status=Status.MIGRATING if one.key else one.status,
        )
        if one.key:
            by = f"key:{keys[one.team, one.key].pk}"
            change_legacy(actor=actor, legacy=made, status=one.status, replaced_by=by)
    for team, name, expected, owner, purpose in EXPECTED:
        _expect(people, teams[team], "key", keys[team, name], expected, owner, purpose)
    for widget in Widget.objects.filter(team=teams["support"], deleted_at=None):
        _expect(people, teams["support"], "widget", widget, Expected.REAL_TIME, "Tomas Lind", "Help on the site")
    for team, expected, owner, purpose in AGENTS:
        for agent in Agent.objects.filter(team=teams[team], archived_at=None, live__isnull=False):
            _expect(people, teams[team], "agent", agent, expected, owner, purpose)


def _expect(
    people: dict[str, User],
    team: Team,
    kind: str,
    subject: ApiKey | Widget | Agent,
    expected: str,
    owner: str,
    purpose: str,
) -> None:
    by = people["ines.okafor@demo.example"]
    set_expectation(
        actor=Actor(kind="user", id=by.pk, name=by.name),
        team=team,
        kind=kind,
        subject_id=subject.pk,
        name=str(subject),
        expected=expected,
        owner=owner,
        purpose=purpose,
    )
