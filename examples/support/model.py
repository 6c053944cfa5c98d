"""What the scripted model says: it knows no price but the one its instructions hold at that moment."""

import re

from examples.scripted import Said, Turn

_PRICE = re.compile(r"Returns: (.+)")


def think(turn: Turn) -> Said:
    found = _PRICE.search(turn.system)
    price = found[1].strip() if found else "Nobody told me what a return costs."
    if turn.latest.startswith("Summarise"):
        title = turn.latest.splitlines()[-1].removeprefix("Ticket: ").rstrip(".")
        return Said(f"{title}\n\nWrite to us and we send a label. {price}")
    if "return" in turn.latest.lower():
        return Said(f"Of course. {price}")
    return Said("I can help with returns: ask me what one costs.")
