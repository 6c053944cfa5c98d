"""What the story needs in the console."""

from examples.console import Console
from examples.making import ensure_agent, ensure_bill, ensure_model, ensure_prompt, ensure_tool

ALIAS, MODEL = "marketing", "scripted-marketing"
PLANNER, COPYWRITER = "campaign-planner", "copywriter"

STYLE = """House style: address the reader, one idea a sentence, no exclamation marks, no superlatives."""
SECTION = """You write one section of a campaign. The section: {{section}}
Answer with its text and nothing else.
{{> marketing/style}}"""
TWEAKS = """You help a copywriter with pieces of a campaign. Change what they ask for, and nothing else.
{{> marketing/style}}"""

_TEXT = {"type": "string", "minLength": 1, "maxLength": 10_000}
_SECTION = {"type": "string", "minLength": 1, "maxLength": 80}


def set_up(console: Console, outside: str) -> None:
    """Make the planner with its two tools, and the assistant the copywriter chats with: on one alias, in one style."""
    about = "Plans and writes campaigns. Scripted until you pin it to a model of yours."
    ensure_model(console, alias=ALIAS, name=MODEL, base_url=f"{outside}/v1", about=about)
    style = ensure_prompt(console, "marketing/style", STYLE, kind="partial", about="How everything sounds.")
    section, tweaks = (text.replace("marketing/style", style) for text in (SECTION, TWEAKS))
    section = ensure_prompt(console, "marketing/section", section, about="What writes one section is told.")
    tweaks = ensure_prompt(console, "marketing/copywriter", tweaks, about="What the copywriter's assistant is told.")
    _tools(console, outside, section)
    ensure_bill(console, ALIAS, most="5.00")
    ensure_agent(
        console,
        PLANNER,
        template="campaign-planner",
        alias=ALIAS,
        grants=[
            {"tool": "write_section", "most_calls": 12},
            # Drafts in the CMS are seen by editors only, so nobody is asked for each of them.
            {"tool": "store_piece", "mode": "allow", "most_calls": 12},
        ],
    )
    ensure_agent(
        console,
        COPYWRITER,
        name="Copywriter",
        description="Tweaks pieces of a campaign, in the house style.",
        prompt_slug=tweaks,
        alias=ALIAS,
        opening_message="Paste a piece and say what should change.",
    )


def _tools(console: Console, outside: str, section: str) -> None:
    ensure_tool(
        console,
        "write_section",
        kind="completion",
        name="Write a section",
        description="Have one section of the campaign written. Say which, and what the campaign is about.",
        config={"alias": ALIAS, "prompt": section, "variables": ["section"], "output_tokens": 800},
    )
    ensure_tool(
        console,
        "store_piece",
        kind="http",
        name="Store a piece",
        description="Keep a piece as a draft in the CMS.",
        effect="write",
        is_idempotent=True,
        config={"method": "POST", "url": f"{outside}/pieces", "body": "rest"},
        parameters={
            "type": "object",
            "properties": {"section": _SECTION, "text": _TEXT},
            "required": ["section", "text"],
        },
    )
