"""The part of the schema about prompts, labels and tests."""

from console.evals.checks import KINDS
from console.pages.configuration.forms import Choice, Field, Flag, ListOf, Number, OrNone, Record, Text, Whole
from console.pages.configuration.free import Free
from console.pages.configuration.shape_words import DESCRIPTION, TEAM_SLUG
from prompts_app.models import Kind, Visibility
from prompts_app.text.content import ROLES
from prompts_app.text.refs import LABEL, SLUG
from prompts_app.text.variables import TYPES

_LONGEST = 1_000_000  # the installation's own limit is said by what keeps it
_LONGEST_OF_A_TEST = 100_000
_text = Text("a text", longest=_LONGEST)
_name = Text("the name of a prompt", SLUG.pattern, 200)
_label = Text("a label such as production", LABEL.pattern, 40)
_words = Text("a few words", longest=500)

MESSAGE = Record(
    "A message",
    {
        "role": Field(Choice(lambda: list(ROLES)), "Whose it is.", required=True),
        "text": Field(
            Text("a text", longest=_LONGEST, may_be_empty=True), "What it says; not all may be empty.", required=True
        ),
    },
)
VARIABLE = Record(
    "A variable",
    {
        "name": Field(Text("a name", longest=100), "What stands between the braces.", required=True),
        "type": Field(Choice(lambda: list(TYPES)), "text unless given."),
        "required": Field(Flag(), "Whether a call must give it; true unless given."),
        "choices": Field(ListOf(Text("a text", longest=200, may_be_blank=True), "choices"), "What a choice may be."),
        "default": Field(Free("a value", "any"), "What it is where a call gives none."),
        "example": Field(Free("a value", "any"), "What previews have."),
    },
)
VERSION = Record(
    "A version",
    {
        "labels": Field(ListOf(_label, "labels"), "Labels that mean this version."),
        "text": Field(_text, "What a text or a partial says."),
        "messages": Field(ListOf(MESSAGE, "messages"), "What a chat says."),
        "variables": Field(
            ListOf(VARIABLE, "variables"), "What calls may and must give; what the text uses, as texts, unless given."
        ),
        "parameters": Field(Free("a mapping of parameters"), "Of its calls, such as temperature."),
        "message": Field(_words, "What a new version says of itself."),
        "number": Field(
            Whole(1, 999_999),
            "Its number, where something names it by that: support/answer@7. A version never changes; leave the number "
            "out of one that is to become the next.",
        ),
    },
)
CHECK = Record(
    "A check",
    {
        "kind": Field(Choice(lambda: list(KINDS)), "What is looked at.", required=True),
        "value": Field(Text("a text", longest=20_000), "What the answer is held to."),
        "threshold": Field(Number(1, 20), "Of similarity: how near it has to be."),
        "alias": Field(Text("an alias", longest=200), "Of similarity and judge: who is asked."),
    },
)
TEST = Record(
    "A test",
    {
        "name": Field(Text("a name", longest=100), "Its name; one prompt's tests have different ones.", required=True),
        "variables": Field(Free("a mapping of names and values"), "Values for what the prompt declares."),
        "message": Field(Text("a text", longest=_LONGEST_OF_A_TEST), "What is asked after the prompt."),
        "expected": Field(Text("a text", longest=_LONGEST_OF_A_TEST), "What is wanted."),
        "checks": Field(ListOf(CHECK, "checks"), "What the answer is held to.", required=True),
    },
)
PROMPT = Record(
    "A prompt",
    {
        "slug": Field(_name, "Its name, with its folders: support/answer; it never changes.", required=True),
        "team": Field(TEAM_SLUG, "The team it belongs to.", required=True),
        "kind": Field(Choice(lambda: list(Kind.values)), "text unless given; it never changes."),
        "visibility": Field(Choice(lambda: list(Visibility.values)), "Who may use it; its team unless given."),
        "description": Field(OrNone(DESCRIPTION), "What people read about it."),
        "tags": Field(ListOf(Text("a word", longest=40), "tags"), "Words it is found by."),
        "is_required": Field(Flag(), "Of a partial: whether prompts must include it."),
        "covers": Field(ListOf(TEAM_SLUG, "teams"), "Of a required partial: whose prompts; everybody's unless given."),
        "versions": Field(
            ListOf(VERSION, "versions"),
            "What its labels mean, oldest first; one without labels is only saved. What is there already stays.",
        ),
        "waivers": Field(
            ListOf(
                Record(
                    "A waiver",
                    {
                        "partial": Field(_name, "Which required partial.", required=True),
                        "reason": Field(_words, "Why.", required=True),
                    },
                ),
                "waivers",
            ),
            "Required partials it may leave out.",
        ),
        "tests": Field(ListOf(TEST, "tests"), "Its tests. A test that is named is given whole."),
    },
)
LABEL_RULE = Record(
    "A rule",
    {
        "label": Field(_label, "Which label of the team's prompts.", required=True),
        "needs_review": Field(Flag(), "Whether somebody else must agree before it moves; false unless given."),
        "needs_green_tests": Field(Flag(), "Whether the prompt's tests must pass before it moves; false unless given."),
    },
)
