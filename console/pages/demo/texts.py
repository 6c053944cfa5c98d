"""Questions and answers of the demo, all invented; they are shown in the log."""

import random
from typing import Any

import orjson

_SYSTEM = {
    "support": "You answer customers of a scheduling app, in two or three short sentences. Name the setting.",
    "articles": "Turn the ticket into a help article with a title, one paragraph and numbered steps.",
    "copy": "You write plain, friendly product copy. No superlatives.",
    "ops": "Sort the alert: noise, look, or wake. Give one reason.",
}

_TALK: dict[str, list[tuple[str, str]]] = {
    "support": [
        (
            "My technicians' phones stopped syncing after the 8.2 update. What do I do?",
            "Version 8.2 asks each phone to sign in once more. Open Settings, Account, then Sign in again. Jobs saved "
            "offline are kept.",
        ),
        (
            "Can I move Thursday's visits to another crew without telling every customer twice?",
            "Yes. Select the visits, choose Reassign, and switch off Notify customers. They are told only if the time "
            "changes.",
        ),
        (
            "Where do I see who changed an appointment?",
            "Open the appointment and choose History. Each line names the person, the time and what was there before.",
        ),
        (
            "The invoice shows the old address. How do I fix that for one customer only?",
            "Open the customer, choose Billing, and edit the address there. Invoices already sent stay; the "
            "next one has the new address.",
        ),
        (
            "Do you support Sunday surcharges?",
            "Yes, under Settings, Rates, Surcharges. Choose the weekday and a percentage or a fixed amount.",
        ),
    ],
    "articles": [
        (
            "Ticket 48213: customer could not export the month's timesheets; the button was grey. Cause: role Viewer. "
            "Solved by giving the role Manager.",
            "# Why the export button is grey\n\nExporting timesheets needs the role Manager.\n\n1. Open Settings.\n"
            "2. Choose the person.\n3. Set the role to Manager.\n4. Ask them to reload the page.",
        ),
        (
            "Ticket 48240: calendar sync showed each job twice after the customer connected a second calendar.",
            "# Jobs appear twice in the calendar\n\nTwo connected calendars each get every job.\n\n1. Open Settings, "
            "Calendars.\n2. Keep one connection.\n3. Choose Remove on the other. The doubles go within an hour.",
        ),
    ],
    "copy": [
        (
            "Section: offline mode. Audience: field technicians. 60 words.",
            "No signal in the basement? Keep working. The app holds your jobs, photos and signatures, and sends them "
            "when you are back on the street. Nothing to press, nothing to remember.",
        ),
        (
            "Subject lines for the autumn newsletter, three of them.",
            "1. Your crews, one screen\n2. What changed in autumn\n3. Fewer calls about being late",
        ),
    ],
    "ops": [
        (
            "checkout-worker: 14 restarts in 10 min, memory at 97 %. Last deploy 22 min ago.",
            '{"sort": "wake", "reason": "Restarts began right after a deploy and memory does not recover."}',
        ),
        (
            "node-7: disk 81 % (threshold 80 %), growing 0.2 % a day.",
            '{"sort": "look", "reason": "Slow growth; there are weeks before it fills."}',
        ),
        (
            "probe eu-west: 1 of 40 checks slow (2.1 s), the rest 80 ms.",
            '{"sort": "noise", "reason": "One slow check, none failed."}',
        ),
    ],
}


def bodies(
    topics: str,
    alias: str,
    name: int | str,
    *,
    is_stream: bool,
    rng: random.Random,
    user: str = "",
    metadata: Any = None,
) -> tuple[str, str]:
    """Return the request's and the answer's body as the wire format has them."""
    question, answer = rng.choice(_TALK[topics])
    request = {
        "model": alias,
        "messages": [{"role": "system", "content": _SYSTEM[topics]}, {"role": "user", "content": question}],
        **({"user": user} if user else {}),
        **({"metadata": metadata} if metadata else {}),
        **({"stream": True} if is_stream else {}),
    }
    message = {"role": "assistant", "content": answer}
    reply = {
        "id": f"chatcmpl-demo-{name}",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    return orjson.dumps(request).decode(), orjson.dumps(reply).decode()
