"""Outlines a campaign, has each section written by a model of its own, and stores the pieces."""

from agents_app.agent_templates.base import Template, ToolNeed, flowing

_INSTRUCTIONS = """You plan campaigns. Outline the sections this campaign needs, three to six of them.
Have each section written with write_section, one call a section; several calls may go out at once. Give each call
everything it needs: the section, what the campaign is about, whom it is for. Write nothing yourself.
Then store every piece with store_piece, as it was written. When all are stored, report what you stored."""

CAMPAIGN_PLANNER = Template(
    slug="campaign-planner",
    name="Campaign planner",
    icon="sparkle",
    sentence="Outlines a campaign, has each section written by the completion API and stores the pieces.",
    description="Outlines a campaign, has it written, and stores the pieces.",
    instructions=flowing(_INSTRUCTIONS),
    tools=(
        ToolNeed(
            slug="write_section",
            kind="completion",
            name="Write a section",
            description="Have one section of the campaign written. Say which, and what the campaign is about.",
            sentence="It should ask a model for one section.",
            calls_alias=True,
            grant={"most_calls": 12},
        ),
        ToolNeed(
            slug="store_piece",
            sentence="It should store a piece, from its section and text, in your content system: an HTTP tool.",
            description="Stores a piece of the campaign as a draft, from its section and text.",
            effect="write",
            parameters={
                "type": "object",
                "properties": {"section": {"type": "string"}, "text": {"type": "string"}},
                "required": ["section", "text"],
            },
            grant={"most_calls": 12},
        ),
    ),
    limits={"steps": 40, "tool_calls": 24, "tokens": 200_000, "cost_micros": 1_000_000},
    input_schema={
        "type": "object",
        "properties": {
            "campaign": {"type": "string", "title": "What the campaign is about", "maxLength": 2_000},
            "audience": {"type": "string", "title": "Whom it is for", "maxLength": 500},
        },
        "required": ["campaign", "audience"],
        "additionalProperties": False,
    },
    output_schema={
        "type": "object",
        "properties": {
            "campaign": {"type": "string"},
            "pieces": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"section": {"type": "string"}, "id": {"type": ["string", "integer"]}},
                    "required": ["section", "id"],
                },
            },
        },
        "required": ["campaign", "pieces"],
    },
)
