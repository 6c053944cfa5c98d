"""Convert what alerting systems send to the input of a run."""

import json
from collections.abc import Mapping
from typing import Any

from console.core.errors import BadInput

PLAIN, ALERTMANAGER, GRAFANA = "plain", "alertmanager", "grafana"
SOURCES = {PLAIN: "Any JSON", ALERTMANAGER: "Alertmanager", GRAFANA: "Grafana"}
_MOST_ALERTS = 50
_LONGEST = 60_000


def example_of(source: str) -> str:
    """Return a body that a trigger of this source takes, to try it with."""
    if source == PLAIN:
        return json.dumps({"message": "Queue depth is 2,960"})
    alert = {"status": "firing", "labels": {"alertname": "QueueDepth"}, "annotations": {"summary": "2,960 items wait"}}
    return json.dumps({"status": "firing", "alerts": [alert]})


def input_of(source: str, body: Any, *, asks_for_message: bool) -> dict[str, Any]:
    """Return the input of a run. An agent with an input schema of its own gets the body; others get it as a message."""
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    if not asks_for_message:
        return body
    if source in {ALERTMANAGER, GRAFANA}:
        return {"message": _alerts(body)[:_LONGEST]}
    message = body.get("message")
    if isinstance(message, str) and message.strip():
        return {"message": message[:_LONGEST]}
    return {"message": _lines(body)[:_LONGEST]}


def _alerts(body: Mapping[str, Any]) -> str:
    """Return a notification of version 4, which both send, as lines: the group, then each alert."""
    alerts = body.get("alerts")
    if not isinstance(alerts, list) or not alerts or not all(isinstance(one, dict) for one in alerts):
        raise BadInput("This is no notification of alerts: it has no list of alerts.", param="alerts")
    count = "1 alert" if len(alerts) == 1 else f"{len(alerts)} alerts"
    # The first line is the title of the run: it says which alert, also where the sender names no common labels.
    common = body.get("commonLabels") or (alerts[0].get("labels") if len(alerts) == 1 else None)
    lines = [f"{count}, {body.get('status', 'unknown')}. {_pairs(common)}".strip()]
    for alert in alerts[:_MOST_ALERTS]:
        since = f" since {alert['startsAt']}" if alert.get("startsAt") else ""
        lines.append(f"- {alert.get('status', '')}{since}: {_pairs(alert.get('labels'))}")
        if notes := _pairs(alert.get("annotations")):
            lines.append(f"  {notes}")
        if alert.get("values"):
            lines.append(f"  values {_pairs(alert.get('values'))}")
    if len(alerts) > _MOST_ALERTS:
        lines.append(f"- and {len(alerts) - _MOST_ALERTS} more")
    return "\n".join(map(_one_line, lines))


def _one_line(line: str) -> str:
    """Return a line that stays one: labels come from whatever is watched, and must not look like other alerts."""
    return "".join(c if c.isprintable() else " " for c in line)


def _pairs(value: Any) -> str:
    return ", ".join(f"{name}={said}" for name, said in value.items()) if isinstance(value, dict) else ""


def _lines(body: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in body.items())
