"""What the scripted model decides: three kills of a service, or an alert of them, if the service says it is unwell."""

import json
import re
from collections import Counter

from examples.scripted import Said, Turn

_KILLED = re.compile(r"(?:service=)?([a-z-]+): .*OutOfMemory")
_ALERT = re.compile(r"alertname=OutOfMemory, service=([a-z-]+)")
_STEP = re.compile(r"^\[(\d+)\] (\w+)(?: (\w+)\()?", re.MULTILINE)
_KILLS_THAT_MATTER = 3


def think(turn: Turn) -> Said:
    if "You are asked about a run" in turn.system:
        return _explain(turn)
    worry = _worry(turn.asked)
    if worry is None:
        return _done("none", "", "Nothing in these lines needs a restart.")
    service, what = worry
    if not turn.results("service_status"):
        return Said(
            f"{what} of {service}. I look at it before I do anything.", [("service_status", {"service": service})]
        )
    if "degraded" not in turn.results("service_status")[-1]:
        return _done("none", service, f"{what}, and {service} has recovered by itself.")
    if not turn.results("restart_service"):
        reason = f"{what}, and {service} says it is degraded."
        return Said(reason, [("restart_service", {"service": service, "reason": reason})])
    came_of_it = turn.results("restart_service")[-1]
    if '"restarted"' in came_of_it:
        return _done("restarted", service, f"{service} was restarted after {what}.")
    return _done("none", service, f"Not restarted. {came_of_it}")


def _worry(lines: str) -> tuple[str, str] | None:
    """Return the service these lines or this alert say something serious of, and what; None when there is none."""
    if alert := _ALERT.search(lines):
        return alert[1], "an OutOfMemory alert"
    killed = Counter(_KILLED.findall(lines)).most_common(1)
    if not killed or killed[0][1] < _KILLS_THAT_MATTER:
        return None
    return killed[0][0], f"{killed[0][1]} OutOfMemory kills"


def _done(action: str, service: str, reason: str) -> Said:
    return Said(json.dumps({"action": action, "service": service, "reason": reason}))


def _explain(turn: Turn) -> Said:
    """Answer from the record, and cite its steps."""
    steps = {tool: number for number, _, tool in _STEP.findall(turn.system) if tool}
    if "restart_service" not in steps:
        return Said("I restarted nothing: the lines I was given did not ask for it [1].")
    return Said(
        "The lines showed the same service killed for memory several times, so I looked at it first"
        f" [{steps['service_status']}]. It said it was degraded: two of its eight workers were left."
        f" A restart was the smallest thing that helps, and a person allowed it [{steps['restart_service']}]."
    )
