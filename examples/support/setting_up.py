"""What the story needs in the console, and the one change it makes."""

from typing import Any

from examples.console import Console
from examples.making import ensure_agent, ensure_collection, ensure_document, ensure_model, ensure_prompt, every

ALIAS, MODEL, AGENT, VOICE = "shop-chat", "scripted-support", "shop-support", "support-voice"
COLLECTION, POLICY = "shop-prices", "Price policy"
WIDGET = "Larkfield Bikes"

VOICE_TEXT = "You speak for Larkfield Bikes: friendly, brief, and never a price that is not in your sources."
PRICES = ("Returns: A return costs 4.90 within 30 days.", "Returns: Returns are free within 60 days.")
_AROUND = """# Returns

What it costs to send an article back, or to exchange it for another.

{price}
"""


def set_up(console: Console, site: str, outside: str) -> tuple[dict[str, Any], str]:
    """Make the voice, the price policy, and the assistant and widget that answer with both.

    Returns the widget, and the name of the voice.
    """
    about = "Answers customers. Scripted until you pin it to a model of yours."
    ensure_model(console, alias=ALIAS, name=MODEL, base_url=f"{outside}/v1", about=about)
    shelf = ensure_collection(console, COLLECTION, name="Shop prices", about="What things cost.")
    ensure_document(console, shelf, POLICY, _AROUND.format(price=PRICES[0]))
    voice = ensure_prompt(console, VOICE, VOICE_TEXT, about="How support sounds, everywhere.")
    ensure_agent(
        console,
        AGENT,
        name="Shop support",
        description="Answers customers of the shop.",
        prompt_slug=voice,
        alias=ALIAS,
        knowledge=[COLLECTION],
    )
    return _widget(console, site), voice


def _widget(console: Console, site: str) -> dict[str, Any]:
    found = [one for one in every(console, f"widgets/?team={console.team}") if one["name"] == WIDGET]
    if not found:
        fields = {"team": console.team, "agent": AGENT, "name": WIDGET, "title": "Ask the shop", "origins": [site]}
        questions = ["What does a return cost?"]
        made = console.ask("POST", "widgets/", fields | {"greeting": "Hello!", "suggested_questions": questions})
        return dict(made)
    if site not in found[0]["origins"]:
        change = {"origins": [*found[0]["origins"], site], "revision": found[0]["revision"]}
        return dict(console.ask("PATCH", f"widgets/{found[0]['id']}/", change))
    return dict(found[0])


def policy_of(console: Console) -> dict[str, Any]:
    """Return the one document that says what things cost."""
    shelf = ensure_collection(console, COLLECTION, name="Shop prices", about="What things cost.")
    return ensure_document(console, shelf, POLICY, _AROUND.format(price=PRICES[0]))


def change_prices(console: Console) -> str:
    """Save the other price policy, and return what it says. All that answers from it follows from the next call on."""
    document = policy_of(console)
    path = f"knowledge/documents/{document['id']}/versions/"
    now = console.ask("GET", f"{path}{document['version']}/")["text"]
    price = PRICES[1] if PRICES[0] in now else PRICES[0]
    said = {"text": _AROUND.format(price=price), "message": "New prices hold from today"}
    console.ask("POST", path, said | {"seen_version": document["newest_version"]})
    return price
