"""What the scripted model says: its instructions say whether it plans, writes a section, or tweaks a piece."""

import json
import re

from examples.scripted import Said, Turn

SECTIONS = ("Mail", "Landing page", "Social post")
_TEXTS = {
    "Mail": "Subject: {campaign}. Dear reader, {campaign} is for {audience}. Have a look before the week is over.",
    "Landing page": "{campaign}. Made for {audience}: less searching, more riding. Book a test ride in a minute.",
    "Social post": "{audience}, this one is for you: {campaign}. Test rides all week.",
}
_STEP = re.compile(r"^\[(\d+)\] tool (\w+)", re.MULTILINE)


def think(turn: Turn) -> Said:
    if "You are asked about a run" in turn.system:
        return _explain(turn)
    if "You plan campaigns" in turn.system:
        return _plan(turn)
    if "You write one section" in turn.system:
        return _write(turn)
    return _tweak(turn)


def _plan(turn: Turn) -> Said:
    """Outline, have every section written, store every piece, report. Each round is one answer of the model."""
    given = json.loads(turn.asked)
    written, stored = turn.results("write_section"), turn.results("store_piece")
    if not written:
        message = f"{given['campaign']}, for {given['audience']}"
        outline = f"An outline of {len(SECTIONS)} sections: {', '.join(SECTIONS)}."
        return Said(outline, [("write_section", {"section": one, "message": message}) for one in SECTIONS])
    if not stored:
        pieces = zip(SECTIONS, written, strict=True)
        return Said("Storing the pieces.", [("store_piece", {"section": one, "text": text}) for one, text in pieces])
    made = [json.loads(one) for one in stored]
    pieces_made = [{"section": one["section"], "id": one["id"]} for one in made]
    return Said(json.dumps({"campaign": given["campaign"], "pieces": pieces_made}))


def _write(turn: Turn) -> Said:
    section = next((one for one in SECTIONS if f"section: {one}" in turn.system), SECTIONS[0])
    campaign, _, audience = turn.latest.partition(", for ")
    return Said(_TEXTS[section].format(campaign=campaign, audience=audience or "everybody"))


def _tweak(turn: Turn) -> Said:
    """Keep what stands after the wish, without its last sentence."""
    _, _, piece = turn.latest.partition(":")
    sentences = re.split(r"(?<=[.!?])\s+", piece.strip())
    if not piece.strip():
        return Said("Paste the piece after a colon, and say what should change: “Shorter, please: …”")
    return Said(f"Here it is, a sentence shorter:\n\n> {' '.join(sentences[:-1] or sentences)}")


def _explain(turn: Turn) -> Said:
    steps = _STEP.findall(turn.system)
    asked = ", ".join(f"[{number}]" for number, tool in steps if tool == "write_section")
    kept = ", ".join(f"[{number}]" for number, tool in steps if tool == "store_piece")
    return Said(f"I outlined three sections, had each one written by itself {asked}, and stored what came back {kept}.")
