"""The identity of a delivery with a bearer token, for deduplication: a signature would provide one.

In this order: an id the service gives each of its deliveries; of a notification of alerts, which alerts it says are in
which state; the body. An id is good as long as firings are kept. The others hold for `WINDOW`: what is sent again
because an answer was lost comes within minutes, and what comes later is meant as a reminder.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from agents_app.triggers.payloads import ALERTMANAGER, GRAFANA
from console.core.errors import BadInput

WINDOW = dt.timedelta(hours=1)
# Each is the same when a delivery is tried again: the draft of the IETF (GitLab too), Standard Webhooks, GitHub, Gitea.
ID_HEADERS = ("idempotency-key", "webhook-id", "x-github-delivery", "x-gitea-delivery")
_LONGEST_ID = 255


def id_of(headers: Mapping[str, str]) -> str | None:
    """Return the key of a delivery with an id of its own, None where it has none."""
    for name in ID_HEADERS:
        if value := headers.get(name, "").strip():
            if len(value) > _LONGEST_ID or not value.isprintable():
                raise BadInput(f"{name} has at most {_LONGEST_ID} printable characters.", param=name)
            return f"id:{_digest(f'{name}:{value}'.encode())}"
    return None


def content_of(source: str, value: Any, body: bytes) -> str:
    """Return the key of what a delivery says: of alerts their state, for their annotations may count."""
    alerts = _alerts(value) if source in {ALERTMANAGER, GRAFANA} else None
    if alerts is None:
        return f"body:{_digest(body)}"
    parts = [value.get("groupKey"), value.get("status"), sorted(alerts)]
    return f"alerts:{_digest(json.dumps(parts, sort_keys=True).encode())}"


def _alerts(value: Any) -> list[str] | None:
    """Return each alert with its state as a line, None where one does not say since when it is on."""
    alerts = value.get("alerts") if isinstance(value, dict) else None
    if not isinstance(alerts, list) or not alerts:
        return None
    lines = []
    for alert in alerts:
        if not isinstance(alert, dict) or not alert.get("startsAt"):
            return None
        ended = alert.get("endsAt") if alert.get("status") == "resolved" else None  # while it fires this is a guess
        which = alert.get("fingerprint") or alert.get("labels")
        lines.append(json.dumps([which, alert.get("status"), alert["startsAt"], ended], sort_keys=True))
    return lines


def window_keys(content: str, moment: dt.datetime) -> tuple[str, str]:
    """Return the keys under which the same may be there: the present one first, then that of the window before."""
    number = int(moment.timestamp() // WINDOW.total_seconds())
    return f"{content}:{number}", f"{content}:{number - 1}"


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
