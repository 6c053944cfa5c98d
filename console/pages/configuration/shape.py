"""The schema of configuration files, from which the reader and the JSON schema are made."""

from typing import Any

from console.catalog.models import Capability, Trouble
from console.catalog.names import kinds
from console.catalog.parameters import KNOWN
from console.core.lanes import Lane
from console.notices.kinds import NoticeKind
from console.notices.models import Channel
from console.pages.configuration import shape_agents, shape_knowledge, shape_library, shape_places, shape_tools
from console.pages.configuration.forms import (
    CallParameter,
    Choice,
    Day,
    Field,
    Flag,
    ListOf,
    Moment,
    Number,
    OrNone,
    Record,
    Text,
    Whole,
)
from console.pages.configuration.shape_words import (
    ALIAS,
    DESCRIPTION,
    EMAIL,
    MODEL_NAME,
    SECRET,
    SHORT_NAME,
    TEAM_SLUG,
)
from console.teams.models import Environment, Role, UnknownFields
from console.teams.roles import DEFAULT_SCOPES, SCOPES
from usage_app.models import Metric, Mode, Nameless, Purpose, RuleMetric, Window
from usage_app.services.alert_rules import MOST, MOST_CALLS, MOST_MINUTES

_price = Number(999_999)
_PRICES = {
    "input": Field(_price, "Per million input tokens.", required=True),
    "output": Field(_price, "Per million output tokens. Only a model that makes vectors and nothing else has none."),
    "cached_input": Field(_price, "Per million input tokens read from the provider's cache."),
    "reasoning": Field(_price, "Per million output tokens the model thought with."),
    "cache_write": Field(_price, "Per million input tokens written to the provider's cache."),
    "cache_write_1h": Field(_price, "Per million of those written for an hour."),
    "audio_input": Field(_price, "Per million input tokens of audio."),
    "audio_output": Field(_price, "Per million output tokens of audio."),
    "long_above": Field(Whole(), "Tokens of input above which the next two hold."),
    "long_input": Field(_price, "Per million input tokens of longer inputs."),
    "long_output": Field(_price, "Per million output tokens of longer inputs."),
}

PROVIDER = Record(
    "A provider",
    {
        "slug": Field(SHORT_NAME, "The provider's short name; models and pins refer to it.", required=True),
        "name": Field(Text("a name", longest=120), "What pages call it; the short name unless given."),
        "kind": Field(Choice(kinds), "The wire format it speaks.", required=True),
        "base_url": Field(
            Text("an address such as https://api.example.com/v1", r"https?://\S+"), "Its address.", required=True
        ),
        "secret": Field(
            SECRET,
            "What the provider asks for. Kept encrypted, never written by export.",
        ),
        "first_byte_seconds": Field(Whole(1, 3600), "How long to wait for the first byte."),
        "total_seconds": Field(Whole(1, 3600), "How long a whole call may take."),
        "max_concurrency": Field(Whole(1, 2_000_000_000), "The most calls it stands at once."),
        "requests_per_minute": Field(Whole(1, 2_000_000_000), "The most requests it stands in a minute."),
        "tokens_per_minute": Field(Whole(1, 2_000_000_000), "The most tokens it stands in a minute."),
        "is_enabled": Field(Flag(), "Whether calls go there."),
    },
)
MODEL = Record(
    "A model",
    {
        "provider": Field(SHORT_NAME, "The provider's short name.", required=True),
        "name": Field(Text("the model's name at the provider", r"[^\s]+", 200), "Its name there.", required=True),
        "context_tokens": Field(Whole(), "Tokens of input and output together."),
        "max_output_tokens": Field(Whole(), "The most tokens one answer may have."),
        "capabilities": Field(
            ListOf(Choice(lambda: list(Capability.values)), "capabilities"), "What it can do; chat unless given."
        ),
        "description": Field(DESCRIPTION, "What people read about it."),
        "shutdown_on": Field(Day(), "The day its provider switches it off."),
        "successor": Field(OrNone(MODEL_NAME), "The model version that takes its place then."),
        "price": Field(Record("A price", _PRICES), "Currency units per million tokens, from now on."),
        "later_prices": Field(
            ListOf(
                Record("A later price", {"from": Field(Moment(), "When it begins.", required=True)} | _PRICES),
                "later prices",
            ),
            "Prices that begin later; one whose time has come counts as the price.",
        ),
    },
)
_SHARE = Record(
    "A share",
    {
        "model": Field(MODEL_NAME, "The model version that gets it.", required=True),
        "percent": Field(Whole(1, 100), "How much, in percent.", required=True),
    },
)
PIN = Record(
    "A pin",
    {
        "canary": Field(OrNone(_SHARE), "A share of the callers gets this version. none ends it."),
        "shadow": Field(
            OrNone(_SHARE), "A share of the calls is copied to this version, for teams that pay for it. none ends it."
        ),
        "fallbacks": Field(
            ListOf(
                Record(
                    "A fallback",
                    {
                        "model": Field(MODEL_NAME, "The version to try next.", required=True),
                        "on": Field(
                            ListOf(Choice(lambda: list(Trouble.values)), "troubles"), "After which; any unless given."
                        ),
                        "tries": Field(Whole(1, 5), "How often; once unless given."),
                    },
                ),
                "fallbacks",
            ),
            "What is tried in turn when the pinned version does not answer. An empty list: nothing.",
        ),
        "parameters": Field(
            Record("Parameters", {name: Field(CallParameter(name), "Unless a call has another.") for name in KNOWN}),
            "What calls are sent with unless they say otherwise. An empty mapping: nothing.",
        ),
        "max_parameters": Field(
            Record(
                "The most",
                {
                    n: Field(CallParameter(n), "What a call may ask for at most.")
                    for n, k in KNOWN.items()
                    if k.is_bounded
                },
            ),
            "The most a call may ask for. An empty mapping: no limit.",
        ),
        "lane": Field(Choice(lambda: list(Lane.values)), "The fastest lane it gives."),
    },
)
ALIAS_RECORD = Record(
    "An alias",
    {
        "name": Field(ALIAS, "What callers write as model.", required=True),
        "description": Field(DESCRIPTION, "What people read about it."),
        "production": Field(MODEL_NAME, "The model version it means for production keys."),
        "sandbox": Field(MODEL_NAME, "The model version it means for sandbox keys."),
        "two_people": Field(Flag(), "Changes of its production pin wait until a second person agrees."),
        "needs_tests": Field(Flag(), "Its production pin moves only to versions on which its scheduled tests hold."),
        "production_pin": Field(PIN, "What surrounds the production pin."),
        "sandbox_pin": Field(PIN, "What surrounds the sandbox pin."),
    },
)
MEMBER = Record(
    "A member",
    {
        "email": Field(EMAIL, "Who; made when nobody has the address.", required=True),
        "role": Field(Choice(lambda: list(Role.values)), "What they may do in the team.", required=True),
    },
)
QUOTA = Record(
    "A quota",
    {
        "metric": Field(Choice(lambda: list(Metric.values)), "What is counted.", required=True),
        "window": Field(Choice(lambda: list(Window.values)), "Per what; every metric but concurrency needs one."),
        "limit": Field(
            Number(1_000_000_000_000), "Requests, tokens, concurrent calls, or currency units for cost.", required=True
        ),
        "mode": Field(Choice(lambda: list(Mode.values)), "hard refuses at the limit, soft warns; hard unless given."),
        "key": Field(Text("the name of one of the team's API keys", longest=80), "Only calls with this key."),
        "alias": Field(ALIAS, "Only calls of this alias."),
        "agent": Field(SHORT_NAME, "Only calls of this agent."),
        "widget": Field(Text("the name of one of the team's widgets", longest=80), "Only calls of this widget."),
        "purpose": Field(
            Choice(lambda: [Purpose.SHADOW.value]), "shadow: only copies for shadows count, which need such a quota."
        ),
        "each_end_user": Field(Flag(), "true: each end user has the limit for itself; false unless given."),
        "nameless": Field(
            Choice(lambda: list(Nameless.values)),
            "With each_end_user, of calls that name none: pass, uncounted, or refuse; pass unless given.",
        ),
    },
    extra={
        "if": {"properties": {"metric": {"const": "concurrency"}}},
        "then": {"properties": {"window": False}},
        "else": {"required": ["window"]},
    },
)
KEY = Record(
    "An API key",
    {
        "name": Field(Text("a name", longest=80), "Its name; one team's keys have different ones.", required=True),
        "environment": Field(Choice(lambda: list(Environment.values)), "Which pins it calls; it stays.", required=True),
        "scopes": Field(
            ListOf(Choice(lambda: list(SCOPES)), "scopes"), f"What it may do; {', '.join(DEFAULT_SCOPES)} unless given."
        ),
        "owner": Field(EMAIL, "The member who answers for it; the installation unless given."),
        "aliases": Field(ListOf(ALIAS, "aliases"), "The only aliases it may call; all of its team's unless given."),
        "networks": Field(
            ListOf(Text("a network such as 203.0.113.0/24", longest=50), "networks"), "The only networks it works from."
        ),
        "max_lane": Field(Choice(lambda: list(Lane.values)), "The fastest lane it may take."),
        "unknown_fields": Field(
            Choice(lambda: [word for word in UnknownFields.values if word]),
            "What becomes of request fields Facet does not know; what the installation says unless given.",
        ),
        "expires_at": Field(Moment(), "When it ends."),
    },
)
TEAM = Record(
    "A team",
    {
        "slug": Field(TEAM_SLUG, "The team's short name.", required=True),
        "name": Field(Text("the team's name", longest=120), "Its name; the short name unless given."),
        "requires_two_factor": Field(Flag(), "Whether its members need a second factor."),
        "members": Field(ListOf(MEMBER, "members"), "People and their roles."),
        "keys": Field(ListOf(KEY, "keys"), "API keys. One that is not there is made, and its text printed once."),
        "aliases": Field(ListOf(ALIAS, "aliases"), "Aliases for this team; an alias no team names is for everybody."),
        "quotas": Field(ListOf(QUOTA, "quotas"), "Limits of the team."),
        "label_rules": Field(
            ListOf(shape_library.LABEL_RULE, "rules"), "What is asked before a label of the team's prompts moves."
        ),
    },
)
CHANNEL = Record(
    "A channel of alerts",
    {
        "name": Field(Text("what people call it", longest=80), "Its name; files know it by that and its team.", True),
        "kind": Field(Choice(lambda: list(Channel.Kind.values)), "How it is told.", required=True),
        "team": Field(TEAM_SLUG, "The team it belongs to; without one it is the installation's."),
        "wants": Field(
            ListOf(Choice(lambda: list(NoticeKind.values)), "kinds"),
            "What it is told of; everything a channel of a team or of the installation can be, unless given.",
        ),
        "addresses": Field(ListOf(Text("an e-mail address", longest=254), "addresses"), "Of email."),
        "url": Field(SECRET, "Of slack and webhook. Kept encrypted, never written by export."),
        "secret": Field(SECRET, "What a webhook is signed with; one is made and shown once unless given."),
        "is_active": Field(Flag(), "Whether alerts go there."),
    },
)
ALERT_RULE = Record(
    "An alert rule",
    {
        "team": Field(TEAM_SLUG, "Whose calls it looks at; without one, those of all teams together."),
        "metric": Field(Choice(lambda: list(RuleMetric.values)), "What is measured.", required=True),
        "environment": Field(Choice(lambda: list(Environment.values)), "Which calls; production unless given."),
        "alias": Field(ALIAS, "Only calls of this alias."),
        "minutes": Field(Whole(1, MOST_MINUTES), "How many of the last minutes are looked at; 10 unless given."),
        "threshold": Field(
            Whole(1, max(MOST.values())),
            "Above what people are told: percent for errors, milliseconds for latency.",
            required=True,
        ),
        "least_calls": Field(Whole(1, MOST_CALLS), "With fewer in these minutes, nothing is told; 20 unless given."),
    },
)
FILE = Record(
    "The file",
    {
        "providers": Field(ListOf(PROVIDER, "providers"), "Upstreams that serve models."),
        "models": Field(ListOf(MODEL, "models"), "Exact models of providers, with limits and prices."),
        "aliases": Field(ListOf(ALIAS_RECORD, "aliases"), "Names callers use, and what they mean."),
        "teams": Field(ListOf(TEAM, "teams"), "Teams with their members, API keys, aliases and quotas."),
        "channels": Field(ListOf(CHANNEL, "channels"), "Where alerts go."),
        "alert_rules": Field(ListOf(ALERT_RULE, "rules"), "When people are told that calls fail or are slow."),
        "collections": Field(ListOf(shape_knowledge.COLLECTION, "collections"), "Documents that answers come from."),
        "prompts": Field(ListOf(shape_library.PROMPT, "prompts"), "The library: prompts, their labels and tests."),
        "queues": Field(ListOf(shape_tools.QUEUE, "queues"), "Built-in queues of teams."),
        "brokers": Field(ListOf(shape_tools.BROKER, "brokers"), "Brokers outside, whose queues triggers read."),
        "tool_servers": Field(ListOf(shape_tools.SERVER, "tool servers"), "MCP servers, and the tools taken over."),
        "tools": Field(ListOf(shape_tools.TOOL, "tools"), "Tools of teams, which their agents are granted."),
        "agents": Field(ListOf(shape_agents.AGENT, "agents"), "Agents with their triggers."),
        "widgets": Field(ListOf(shape_agents.WIDGET, "widgets"), "Chats on the sites of others."),
        "test_schedules": Field(
            ListOf(shape_places.TEST_SCHEDULE, "schedules"), "When the tests of prompts run by themselves."
        ),
        "legacy_touchpoints": Field(
            ListOf(shape_places.LEGACY, "places"), "Places where AI is used that are not on this installation yet."
        ),
    },
)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of a Facet installation",
    } | FILE.schema()
