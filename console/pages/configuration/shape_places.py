"""The part of the schema about schedules of tests, and places that are not on Facet."""

from console.core.schedules import LONGEST_CRON
from console.pages.configuration.forms import Choice, Field, Flag, Number, OrNone, Record, Text, Whole
from console.pages.configuration.shape_words import EMAIL, SHORT_NAME, TEAM_SLUG
from console.touchpoints.fields import LONGEST
from console.touchpoints.models import Expected, Kind, Status
from prompts_app.text.refs import LABEL, SLUG

TEST_SCHEDULE = Record(
    "A schedule",
    {
        "prompt": Field(Text("the name of a prompt", SLUG.pattern, 200), "Whose tests run.", required=True),
        "label": Field(Text("a label such as production", LABEL.pattern, 40), "On what it means then.", required=True),
        "model": Field(
            Text("an alias such as support-chat@production, or provider/name", longest=200),
            "What answers; files know a schedule by its prompt, label and model.",
            required=True,
        ),
        "cron": Field(Text("a cron expression, in quotes", longest=LONGEST_CRON), "When.", required=True),
        "time_zone": Field(Text("a time zone such as Europe/Berlin", longest=60), "Where; UTC unless given."),
        "tolerance": Field(Whole(0, 100), "Points of 100 the score may fall; 5 unless given."),
        "owner": Field(
            EMAIL,
            "For whom its runs act, with the rights of that moment; who has it stays unless the schedule is new.",
        ),
        "is_paused": Field(Flag(), "Whether it waits for somebody to resume it."),
    },
)
_name = Text("a name", longest=200)
LEGACY = Record(
    "A place",
    {
        "team": Field(TEAM_SLUG, "The team it belongs to.", required=True),
        "name": Field(Text("a name", longest=LONGEST["name"]), "What it is called; once in a team.", required=True),
        "kind": Field(Choice(lambda: list(Kind.values)), "How AI is consumed there.", required=True),
        "place": Field(OrNone(Text("a few words", longest=LONGEST["place"])), "Where it lives."),
        "model": Field(OrNone(Text("a few words", longest=LONGEST["model"])), "Vendor and model, in words."),
        "owner": Field(OrNone(Text("a few words", longest=LONGEST["owner"])), "Who answers for it, in words."),
        "expected": Field(OrNone(Choice(lambda: list(Expected.values))), "How long whoever asks is ready to wait."),
        "spend": Field(OrNone(Number(999_999_999)), "An estimate a month, in the installation's currency."),
        "notes": Field(OrNone(Text("a text", longest=LONGEST["notes"])), "Whatever else there is to say."),
        "status": Field(Choice(lambda: list(Status.values)), "How far it has come; planned unless given."),
        "replaced_by": Field(
            OrNone(
                Record(
                    "What has its work",
                    {
                        "key": Field(_name, "An API key of the team, by name."),
                        "widget": Field(_name, "A widget of the team, by name."),
                        "agent": Field(SHORT_NAME, "An agent of the team, by its short name."),
                    },
                    one_of=True,
                )
            ),
            "What does its work on Facet now.",
        ),
    },
)
