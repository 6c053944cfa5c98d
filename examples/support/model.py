"""What the scripted model says: it knows no price but the one in the sources it is given at that moment."""

import re

from examples.scripted import Said, Turn

_PRICE = re.compile(r"^Returns: (.+)", re.MULTILINE)


def think(turn: Turn) -> Said:
    sources, _, question = turn.latest.rpartition("</sources>")
    found = _PRICE.search(sources)
    price = f"{found[1].strip()} [1]" if found else "Nobody told me what a return costs."
    if question.strip().startswith("Summarise"):
        title = question.splitlines()[-1].removeprefix("Ticket: ").rstrip(".")
        return Said(f"{title}\n\nWrite to us and we send a label. {price}")
    if "return" in question.lower():
        return Said(f"Of course. {price}")
    return Said("I can help with returns: ask me what one costs.")
