"""What the story needs in the console, and the one change it makes."""

from typing import Any

from examples.console import Console
from examples.making import ensure_agent, ensure_model, ensure_prompt, every

ALIAS, MODEL, AGENT, VOICE, POLICY = "shop-chat", "scripted-support", "shop-support", "support-voice", "price-policy"
WIDGET = "Larkfield Bikes"

VOICE_TEXT = """You speak for Larkfield Bikes: friendly, brief, and never a price that is not written here.
{{> price-policy}}"""
PRICES = ("Returns: A return costs 4.90 within 30 days.", "Returns: Returns are free within 60 days.")


def set_up(console: Console, site: str, outside: str) -> dict[str, Any]:
    """Make the voice with the price policy in it, the assistant and the widget that speak in it; return the widget."""
    about = "Answers customers. Scripted until you pin it to a model of yours."
    ensure_model(console, alias=ALIAS, name=MODEL, base_url=f"{outside}/v1", about=about)
    ensure_prompt(console, POLICY, PRICES[0], kind="partial", about="What things cost. The one document that says so.")
    ensure_prompt(console, VOICE, VOICE_TEXT, about="How support sounds, everywhere.")
    ensure_agent(
        console,
        AGENT,
        name="Shop support",
        description="Answers customers of the shop.",
        prompt_slug=VOICE,
        alias=ALIAS,
    )
    return _widget(console, site)


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


def change_prices(console: Console) -> str:
    """Publish the other price policy, and return what it says. Both environments follow from their next call on."""
    newest = console.ask("GET", f"prompts/{POLICY}/-/versions/?limit=1")["data"][0]
    text = PRICES[1] if newest["content"][0]["text"] == PRICES[0] else PRICES[0]
    said = {"content": [{"role": "", "text": text}], "message": "New prices", "parent": newest["number"]}
    version = console.ask("POST", f"prompts/{POLICY}/-/versions/", said)["number"]
    for label in ("production", "staging"):
        seen = console.ask("GET", f"prompts/{POLICY}/-/labels/{label}/")["revision"]
        publish = {"version": version, "reason": "New prices hold from today", "seen_revision": seen}
        console.ask("PUT", f"prompts/{POLICY}/-/labels/{label}/", publish)
    return text
