"""The part of the schema about queues, tool servers and tools."""

from agents_app.models import Tool, ToolServer
from agents_app.services.tools import LONGEST_DESCRIPTION, LONGEST_NAME
from agents_app.tools.queue.callbacks import LONGEST
from agents_app.tools.registry import KINDS
from console.pages.configuration.forms import Choice, Field, Flag, ListOf, OrNone, Record, Text, Whole
from console.pages.configuration.free import Free
from console.pages.configuration.shape_words import DESCRIPTION, SECRET, SHORT_NAME, TEAM_SLUG

_name = Text("a name", longest=LONGEST_NAME)
_effect = Field(Choice(lambda: list(Tool.Effect.values)), "Whether calling it changes something; write asks a person.")
_idempotent = Field(Flag(), "Whether calling it twice with one Idempotency-Key does no more than once.")
_own_kinds = [kind for kind in KINDS if kind != "mcp"]

QUEUE = Record(
    "A queue",
    {
        "slug": Field(SHORT_NAME, "What programs, tools and triggers call it.", required=True),
        "team": Field(TEAM_SLUG, "The team it belongs to.", required=True),
        "name": Field(_name, "Its name; the short name unless given."),
        "description": Field(OrNone(DESCRIPTION), "What it is for."),
        "lease_seconds": Field(Whole(10, 86_400), "How long a taken item is nobody else's."),
        "most_attempts": Field(Whole(1, 100), "How often an item is taken without a result before it is parked."),
        "keep_days": Field(Whole(1, 365), "How long items that are over stay."),
        "callback_addresses": Field(
            ListOf(Text("an address that begins with https://", longest=LONGEST), "addresses"),
            "Where results may be sent: these addresses, and what is below them. With none, nowhere.",
        ),
        "secret": Field(SECRET, "What results are signed with that are sent somewhere."),
    },
)
BROKER = Record(
    "A broker",
    {
        "slug": Field(
            Text("a short name of up to 40 lower-case letters, digits and hyphens", r"[a-z0-9][a-z0-9-]*", 40),
            "What triggers call it.",
            required=True,
        ),
        "team": Field(TEAM_SLUG, "The team it belongs to.", required=True),
        "name": Field(_name, "Its name; the short name unless given."),
        "url": Field(SECRET, "Its address with user and password. Kept encrypted.", required=True),
    },
)
OFFER = Record(
    "A tool of a server",
    {
        "name": Field(Text("the tool's name at its server", r"[A-Za-z0-9_-]{1,64}", 64), "Its name there.", True),
        "digest": Field(
            Text("the SHA-256 its page shows", r"[0-9a-f]{64}", 64),
            "Of the name, description and schema that were reviewed; what the server says now unless given.",
        ),
        "effect": _effect,
        "is_idempotent": _idempotent,
        "is_enabled": Field(Flag(), "Whether agents may call it."),
    },
)
SERVER = Record(
    "A tool server",
    {
        "slug": Field(
            Text("a short name of up to 20 lower-case letters, digits and hyphens", r"[a-z0-9][a-z0-9-]*", 20),
            "What stands before its tools' names.",
            required=True,
        ),
        "team": Field(TEAM_SLUG, "The team it belongs to.", required=True),
        "name": Field(_name, "Its name; the short name unless given."),
        "transport": Field(
            Choice(lambda: list(ToolServer.Transport.values)),
            "http, or stdio for a program the deployment's settings name; http unless given.",
        ),
        "address": Field(Text("a URL, or a program's name"), "Its address, or the program's name.", required=True),
        "secret": Field(SECRET, "Its bearer token. Kept encrypted, never written by export."),
        "is_enabled": Field(Flag(), "Whether its tools may be called."),
        "tools": Field(ListOf(OFFER, "tools"), "Which of its tools the team takes over."),
    },
)
TOOL = Record(
    "A tool",
    {
        "slug": Field(
            Text("a name of lower-case letters, digits, hyphens and single underscores", r"[a-z][a-z0-9_-]*", 64),
            "What the model calls it.",
            required=True,
        ),
        "team": Field(TEAM_SLUG, "The team it belongs to.", required=True),
        "kind": Field(Choice(lambda: _own_kinds), "What it does: docs/tools.md describes each.", required=True),
        "name": Field(_name, "Its name on pages; the short name unless given."),
        "description": Field(Text("what a model is told of it", longest=LONGEST_DESCRIPTION), "For the model."),
        "parameters": Field(Free("a JSON schema of the arguments"), "JSON schema of the arguments."),
        "config": Field(Free("a mapping of what this kind needs"), "What the kind needs; docs/tools.md says what."),
        "secret": Field(SECRET, "What config.secret sends. Kept encrypted, never written by export."),
        "effect": _effect,
        "is_idempotent": _idempotent,
        "timeout_seconds": Field(Whole(1, 600), "How long one call may take."),
        "most_bytes": Field(Whole(256, 1_000_000), "The most a model gets of a result."),
        "is_enabled": Field(Flag(), "Whether agents may call it."),
    },
)
