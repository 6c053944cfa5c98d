"""The demo's prompts: what its people wrote, when, why, and what they published. All invented."""

from dataclasses import dataclass, field
from typing import Any

_ADA, _TOMAS = "ada.nwosu@demo.example", "tomas.lind@demo.example"
_MEI, _INES, _JONAS = "mei.tanaka@demo.example", "ines.okafor@demo.example", "jonas.weber@demo.example"


@dataclass(frozen=True, slots=True)
class DemoVersion:
    days_ago: float
    by: str
    message: str
    text: str | tuple[tuple[str, str], ...]  # or (role, text) of each message
    variables: tuple[dict[str, Any], ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DemoPublication:
    days_ago: float
    label: str
    number: int
    reason: str
    by: str
    is_back: bool = False


@dataclass(frozen=True, slots=True)
class DemoPrompt:
    slug: str
    team: str
    about: str
    versions: tuple[DemoVersion, ...]
    published: tuple[DemoPublication, ...] = ()
    kind: str = "text"
    tags: tuple[str, ...] = ()
    is_shared: bool = False
    alias: str = ""  # whose calls render it


def _var(name: str, example: str = "", *, default: str | None = None, choices: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "name": name,
        "type": "choice" if choices else "text",
        "is_required": default is None,
        "default": default,
        "example": example or None,
        "choices": list(choices),
    }


_QUESTION = _var("question", "How do I change the card on file?")
_SOURCES = _var("sources", "[1] Cards are changed under Settings, Billing, Payment.\n[2] Owners and admins can do so.")
_AREA = _var("product_area", "billing", choices=("scheduling", "billing", "mobile app", "other"))
_PLAN = _var("plan", "Team", choices=("Free", "Team", "Enterprise"))
_TICKET_URL = _var("ticket_url", "https://help.larkfield.example/new")

_ANSWER = """You answer customers of Larkfield in the live chat.
Product area: {{product_area}}. Plan: {{plan}}.

Rules
- Answer only from the sources below.
- If the sources do not cover it, say so and offer to open a ticket.
- Keep it under 120 words. Use numbered steps for instructions.
- Do not promise dates, refunds or discounts.

{{> house/style-guide}}

Sources:
{{sources}}

Question: {{question}}"""
_ANSWER_NEXT = """You answer customers of Larkfield in the live chat.
Product area: {{product_area}}. Plan: {{plan}}.

Rules
- Answer only from the sources below and cite each one as [n].
- If the sources do not cover it, say so and link {{ticket_url}}.
- Keep it under 90 words. Use numbered steps for instructions.
- Do not promise dates, refunds or discounts.
- Never ask for a password or a card number.

{{> house/style-guide}}

Sources:
{{sources}}

Question: {{question}}"""

_FIRST_ANSWER = """You answer customers of Larkfield.
Use numbered steps for instructions.

{{> house/style-guide}}

Question: {{question}}"""
_FROM_SOURCES = """You answer customers of Larkfield.
Answer only from the sources below.
Use numbered steps for instructions.

{{> house/style-guide}}

Sources:
{{sources}}

Question: {{question}}"""
_BEFORE_PROMISES = _ANSWER.replace("- Do not promise dates, refunds or discounts.\n", "")
_ARTICLE = """Turn the ticket into a help article with a title, one paragraph and numbered steps.

{{> house/style-guide}}"""
_TICKET = _var("ticket", "Ticket 48213: could not export timesheets; the button was grey. Role was Viewer.")
_ALERT = _var("alert", "node-7: disk 81 % (threshold 80 %), growing 0.2 % a day.")
_WORDS = {"name": "words", "type": "number", "is_required": False, "default": 60, "example": 60, "choices": []}

PROMPTS = (
    DemoPrompt(
        "house/style-guide",
        "marketing",
        "How we sound, in every text that leaves the house",
        (
            DemoVersion(92, _MEI, "From the brand book", "Write plainly. Short sentences. No superlatives."),
            DemoVersion(
                30,
                _MEI,
                "Names of buttons, and no exclamation marks",
                "Write plainly. Short sentences, active verbs, no superlatives and no exclamation marks.\n"
                "Name buttons and settings exactly as they read on the screen.\n"
                "Write {{language}}.",
                (_var("language", default="British English"),),
            ),
        ),
        (
            DemoPublication(92, "production", 1, "The first guide", _MEI),
            DemoPublication(29, "production", 2, "Agreed with support and operations", _MEI),
        ),
        kind="partial",
        tags=("tone",),
        is_shared=True,
    ),
    DemoPrompt(
        "support/live-chat-answer",
        "support",
        "Answers in the help app, from the sources it finds",
        (
            DemoVersion(90, _ADA, "Numbered steps", _FIRST_ANSWER, (_QUESTION,)),
            DemoVersion(71, _TOMAS, "Answer only from sources", _FROM_SOURCES, (_SOURCES, _QUESTION)),
            DemoVersion(
                36,
                _TOMAS,
                "Add plan and product area",
                _BEFORE_PROMISES,
                (_AREA, _PLAN, _SOURCES, _QUESTION),
                {"temperature": 0.4},
            ),
            DemoVersion(
                16,
                _ADA,
                "Promise nothing the policy does not",
                _ANSWER,
                (_AREA, _PLAN, _SOURCES, _QUESTION),
                {"temperature": 0.4},
            ),
            DemoVersion(
                2.2,
                _TOMAS,
                "Cite sources, shorter answers",
                _ANSWER_NEXT,
                (_AREA, _PLAN, _TICKET_URL, _SOURCES, _QUESTION),
                {"temperature": 0.2, "max_tokens": 400},
            ),
        ),
        (
            DemoPublication(90, "production", 1, "First answers", _ADA),
            DemoPublication(70, "production", 2, "Fewer invented settings in the sample of last week", _ADA),
            DemoPublication(35, "production", 3, "Plans differ in what they can do", _ADA),
            DemoPublication(15.5, "production", 4, "Two customers were promised a refund", _ADA),
            DemoPublication(2, "staging", 5, "To try on the test page", _TOMAS),
        ),
        tags=("customers", "live"),
        alias="support-chat",
    ),
    DemoPrompt(
        "support/ticket-to-article",
        "support",
        "From a closed ticket to a draft of a help article",
        (
            DemoVersion(
                88,
                _ADA,
                "First version",
                (("system", _ARTICLE), ("user", "{{ticket}}")),
                (_TICKET,),
                {"temperature": 0.3},
            ),
            DemoVersion(
                43,
                _INES,
                "Keep tables of the ticket",
                (("system", _ARTICLE.replace("steps.", "steps. Keep tables as tables.")), ("user", "{{ticket}}")),
                (_TICKET,),
                {"temperature": 0.3, "max_tokens": 1200},
            ),
        ),
        (
            DemoPublication(88, "production", 1, "First drafts at night", _ADA),
            DemoPublication(43, "production", 2, "Editors asked for the tables", _ADA),
        ),
        kind="chat",
        tags=("articles",),
        alias="ticket-to-article",
    ),
    DemoPrompt(
        "support/assistant",
        "support",
        "What the support assistant is told",
        (
            DemoVersion(
                20,
                _TOMAS,
                "First version",
                "You answer customers of {{company}} about orders, returns and refunds. "
                "Ask for the order number first. "
                "When you are not sure, say so and offer a person.\n\n{{> house/style-guide}}",
                (_var("company", "Larkfield"),),
            ),
        ),
        (DemoPublication(20, "production", 1, "For the new assistant", _ADA),),
        tags=("live",),
    ),
    DemoPrompt(
        "support/tickets/handover",
        "support",
        "One paragraph for the colleague who takes over",
        (
            DemoVersion(
                9,
                _TOMAS,
                "First version",
                "Sum the ticket up in one paragraph: what is wrong, "
                "what was tried, what the customer expects.\n\n{{> house/style-guide}}\n\n{{ticket}}",
                (_var("ticket", "Customer writes for the third time that calendar sync doubles jobs."),),
            ),
        ),
        tags=("draft",),
    ),
    DemoPrompt(
        "marketing/campaign/section",
        "marketing",
        "One section of a landing page from a brief",
        (
            DemoVersion(
                80,
                _INES,
                "First version",
                "You write for {{audience}}.\nSection: {{section}}. {{words}} words.\n\n{{> house/style-guide}}",
                (_var("audience", "field technicians"), _var("section", "offline mode"), _WORDS),
            ),
            DemoVersion(
                22,
                _INES,
                "Say what the reader can do now",
                "You write for {{audience}}.\nSection: {{section}}. "
                "{{words}} words.\nBegin with what the reader can do now and could not before.\n\n"
                "{{> house/style-guide}}",
                (_var("audience", "field technicians"), _var("section", "offline mode"), _WORDS),
            ),
        ),
        (
            DemoPublication(80, "production", 1, "For the summer pages", _MEI),
            DemoPublication(21, "production", 2, "Editors cut the first sentence every time", _MEI),
        ),
        tags=("live",),
        alias="campaign-copy",
    ),
    DemoPrompt(
        "marketing/newsletter/subject-lines",
        "marketing",
        "Three subject lines to choose from",
        (
            DemoVersion(
                54,
                _MEI,
                "First version",
                "Write three subject lines for {{topic}}, each under 45 characters.\n\n{{> house/style-guide}}",
                (_var("topic", "the autumn newsletter"),),
            ),
        ),
        (DemoPublication(54, "production", 1, "For the autumn letter", _MEI),),
        tags=("draft",),
    ),
    DemoPrompt(
        "marketing/campaign-planner",
        "marketing",
        "What the campaign planner is told",
        (
            DemoVersion(
                19,
                _INES,
                "First version",
                "Plan the page in three sections. Have each written, then store each as a draft. Publish nothing.\n\n"
                "{{> house/style-guide}}",
            ),
        ),
        (DemoPublication(19, "production", 1, "For the planner agent", _MEI),),
        tags=("live",),
    ),
    DemoPrompt(
        "operations/log-watcher",
        "operations",
        "What the log watcher is told",
        (
            DemoVersion(
                25,
                _JONAS,
                "First version",
                "An alert woke you. Read logs and figures before you judge. If the runbook's restart fits, ask for it "
                "and say why; restart nothing else. End with what happened and what to watch.",
            ),
        ),
        (DemoPublication(25, "production", 1, "For the watcher agent", _JONAS),),
        tags=("live",),
    ),
    DemoPrompt(
        "operations/alert-triage",
        "operations",
        "Sorts alerts into noise, look at it, wake somebody",
        (
            DemoVersion(
                70,
                _JONAS,
                "First version",
                (("system", "Sort the alert: noise, look, or wake. Give one reason."), ("user", "{{alert}}")),
                (_ALERT,),
                {"temperature": 0},
            ),
            DemoVersion(
                26,
                _JONAS,
                "Answer as JSON, with an example",
                (
                    ("system", "Sort the alert: noise, look, or wake. Answer as JSON with sort and reason."),
                    ("user", "probe eu-west: 1 of 40 checks slow (2.1 s), the rest 80 ms."),
                    ("assistant", '{"sort": "noise", "reason": "One slow check, none failed."}'),
                    ("user", "{{alert}}"),
                ),
                (_ALERT,),
                {"temperature": 0, "response_format": {"type": "json_object"}},
            ),
        ),
        (
            DemoPublication(70, "production", 1, "First week on call with it", _JONAS),
            DemoPublication(25.5, "production", 2, "The watcher reads JSON now", _JONAS),
            DemoPublication(25.3, "production", 1, "It answered in prose twice", _JONAS, is_back=True),
            DemoPublication(24, "production", 2, "Prose is gone with the example", _JONAS),
        ),
        kind="chat",
        tags=("alerts",),
        alias="ops-triage",
    ),
)

# The open review: who asks for which version, and what was said about it so far (line, by, text).
REVIEW = ("support/live-chat-answer", 5, _TOMAS, "Cites its sources; tried on the test page for two days")
REMARKS = (
    (5, _ADA, "Does every source have a number by now? The old articles did not."),
    (5, _TOMAS, "Yes, since the import of last week."),
)
