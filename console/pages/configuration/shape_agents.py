"""The part of the schema about agents, triggers and widgets."""

from agents_app.definition import LIMITS, LONGEST_OPENING, LONGEST_QUESTION
from agents_app.grants.parsing import EFFECTS
from agents_app.models import Audience, Trigger
from agents_app.services.agents import LONGEST_DESCRIPTION, LONGEST_NAME
from console.chat.embed.limits import MOST
from console.chat.models import Position
from console.chat.widget_fields import LONGEST_GREETING
from console.pages.configuration.forms import Choice, Field, Flag, ListOf, Number, OrNone, Record, Text, Whole
from console.pages.configuration.free import Free
from console.pages.configuration.shape_words import ALIAS, EMAIL, SECRET, SHORT_NAME, TEAM_SLUG
from console.teams.models import Environment
from prompts_app.text.refs import LABEL, SLUG

# A file says costs in the installation's currency, rows in micro-units of it.
COST = {"cost": "cost_micros", "cost_day": "cost_day_micros"}
_LONGEST_INSTRUCTIONS = 200_000
_cost = Number(1_000_000)
COLLECTION = Text("a collection, by its short name", longest=100)
_question = Text("a question", longest=LONGEST_QUESTION)

RULE = Record(
    "A rule",
    {
        "id": Field(Text("a short name", r"[a-z0-9][a-z0-9_-]{0,39}", 40), "What records call it.", required=True),
        "effect": Field(Choice(lambda: list(EFFECTS)), "What holds when it matches; deny is strongest.", required=True),
        "when": Field(Free("a mapping of arguments"), "Arguments and what they must be for it to match.", True),
    },
)
GRANT = Record(
    "A grant",
    {
        "tool": Field(Text("the short name of a tool", r"[A-Za-z0-9_-]{1,64}", 64), "Which tool.", required=True),
        "mode": Field(
            Choice(lambda: list(EFFECTS)), "Whether a person is asked; unless given, where the tool changes something."
        ),
        "arguments": Field(
            Free("a mapping of arguments"),
            "What arguments must be: equals, one_of, min, max, max_length, prefix, host.",
        ),
        "rules": Field(ListOf(RULE, "rules"), "What holds for some arguments only."),
        "most_calls": Field(Whole(1, 1_000_000), "How often in one run."),
        "editable": Field(
            ListOf(Text("the name of an argument", longest=100), "arguments"), "What approvers may edit."
        ),
        "others_approve": Field(
            Flag(), "Whether somebody else than who started the run, or set up what did, must decide."
        ),
        "digest": Field(
            Text("the SHA-256 its page shows", r"[0-9a-f]{64}", 64), "Of what was reviewed, for a server's tool."
        ),
    },
)
TRIGGER = Record(
    "A trigger",
    {
        "name": Field(Text("a name", longest=80), "Its name; one agent's triggers have different ones.", required=True),
        "kind": Field(Choice(lambda: list(Trigger.Kind.values)), "What starts the agent.", required=True),
        "config": Field(
            Free("a mapping of what this kind needs"),
            "schedule: cron, time_zone, catch_up. webhook: source, auth. queue: queue. All: input. See docs/runs.md.",
        ),
        "owner": Field(
            EMAIL,
            "For whom its runs act, with the rights of that moment; who has it stays unless the trigger is new.",
        ),
        "environment": Field(Choice(lambda: list(Environment.values)), "production unless given."),
        "secret": Field(
            SECRET, "What a webhook is signed with, or its bearer token; one is made and shown once unless given."
        ),
        "is_enabled": Field(Flag(), "Whether it starts anything."),
    },
)
AGENT = Record(
    "An agent",
    {
        "slug": Field(SHORT_NAME, "Its short name, agent:<slug> for callers; it never changes.", required=True),
        "team": Field(TEAM_SLUG, "The team it belongs to.", required=True),
        "name": Field(Text("a name", longest=LONGEST_NAME), "Its name; the short name unless given."),
        "description": Field(OrNone(Text("a few words", longest=LONGEST_DESCRIPTION)), "What people read about it."),
        "audience": Field(Choice(lambda: list(Audience.values)), "Who may use it; its team unless given."),
        "shared_with": Field(ListOf(TEAM_SLUG, "teams"), "With the audience teams: which besides its own."),
        "prompt": Field(
            Text(
                "a prompt: support/answer, support/answer:canary or support/answer@7",
                rf"{SLUG.pattern}(?::{LABEL.pattern}|@[1-9][0-9]{{0,8}})?",
                250,
            ),
            "The prompt with its instructions. With instructions: what that prompt is called, the agent's name unless "
            "given.",
        ),
        "instructions": Field(
            Text("what it is told", longest=_LONGEST_INSTRUCTIONS),
            "Its instructions, kept as a text prompt of the team whose label the file moves.",
        ),
        "prompt_variables": Field(Free("a mapping of names and values"), "Values for what the prompt declares."),
        "alias": Field(ALIAS, "What it answers with."),
        "parameters": Field(Free("a mapping of parameters"), "Of its calls, such as temperature."),
        "limits": Field(
            Record(
                "Limits",
                {
                    **{n: Field(Whole(1, m), "A limit.") for n, m in LIMITS.items() if n != COST["cost"]},
                    "cost": Field(_cost, "Of one run, in the installation's currency."),
                },
            ),
            "Of one answer (output_tokens, messages, passages) and of one run. An empty mapping: the usual ones.",
        ),
        "knowledge": Field(ListOf(COLLECTION, "collections"), "Collections whose documents it answers from."),
        "opening_message": Field(OrNone(Text("a text", longest=LONGEST_OPENING)), "What it says first."),
        "suggested_questions": Field(ListOf(_question, "questions"), "What people may ask by one click."),
        "grants": Field(ListOf(GRANT, "grants"), "Tools it may call; everything else is denied."),
        "input_schema": Field(OrNone(Free("a JSON schema, or none")), "Of what a run is given; none: a message."),
        "output_schema": Field(OrNone(Free("a JSON schema, or none")), "Of its last answer; none: any text."),
        "publish": Field(Flag(), "false: the draft only. Otherwise what differs is published as the next version."),
        "triggers": Field(ListOf(TRIGGER, "triggers"), "What starts it by itself."),
    },
)
WIDGET = Record(
    "A widget",
    {
        "name": Field(Text("a name", longest=80), "Its name; one team's widgets have different ones.", required=True),
        "team": Field(TEAM_SLUG, "The team it belongs to.", required=True),
        "agent": Field(SHORT_NAME, "Who answers: an agent that is published.", required=True),
        "title": Field(OrNone(Text("a title", longest=80)), "What visitors see above the conversation."),
        "greeting": Field(OrNone(Text("a text", longest=LONGEST_GREETING)), "What they read first."),
        "colour": Field(Text("a colour such as '#0b6074', in quotes", r"#[0-9a-fA-F]{6}", 7), "Of the launcher."),
        "position": Field(Choice(lambda: list(Position.values)), "The corner of the page."),
        "suggested_questions": Field(ListOf(_question, "questions"), "What visitors may ask by one click."),
        "language": Field(Text("a language such as en", longest=5), "Of the fixed texts."),
        "origins": Field(
            ListOf(Text("an origin such as https://shop.example", longest=200), "origins"),
            "Sites that may show it; without one it answers nobody.",
        ),
        "limits": Field(
            Record(
                "Limits",
                {
                    **{n: Field(Whole(1, m), "A limit.") for n, m in MOST.items() if n != COST["cost_day"]},
                    "cost_day": Field(_cost, "All together in a day, in the installation's currency."),
                },
            ),
            "Its own limits; an empty mapping: the usual ones.",
        ),
        "identity_secret": Field(SECRET, "What the site signs with who its visitors are."),
        "needs_identity": Field(Flag(), "Whether only visitors the site vouches for may write."),
        "is_enabled": Field(Flag(), "Whether it answers."),
    },
)
