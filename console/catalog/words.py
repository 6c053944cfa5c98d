"""Describe changes of a pin in words, for the history, proposals and mails."""

from typing import Any

_TROUBLE = {"error": "errors", "timeout": "time-outs", "busy": "busy answers", "unreachable": "no connection"}


def _share(share: dict[str, Any] | None) -> str:
    return f"{share['percent']} % to {share['model']}" if share else "ended"


def _chain(steps: list[dict[str, Any]]) -> str:
    if not steps:
        return "none"
    return ", then ".join(
        f"{step['model']} after {' and '.join(_TROUBLE.get(t, t) for t in step['on'])}"
        + (f" ({step['tries']} tries)" if step["tries"] > 1 else "")
        for step in steps
    )


def _values(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "none"


def describe(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return one sentence of everything that changed, without the pin's name."""
    parts = []
    if "model" in after:
        parts.append(f"From {before['model']} to {after['model']}" if before.get("model") else f"To {after['model']}")
    if "canary" in after:
        was, is_now = before.get("canary"), after["canary"]
        if was and is_now and was["model"] == is_now["model"]:
            parts.append(f"Canary {was['percent']} % to {is_now['percent']} % for {is_now['model']}")
        elif is_now:
            parts.append(f"Canary {is_now['percent']} % for {is_now['model']}")
        elif was and was["model"] != after.get("model"):  # promoting says it already
            parts.append(f"Canary of {was['model']} ended")
    if "shadow" in after:
        parts.append(f"Shadow copies {_share(after['shadow'])}")
    if "fallbacks" in after:
        parts.append(f"Fallbacks: {_chain(after['fallbacks'])}")
    if "default_parameters" in after:
        parts.append(f"Defaults: {_values(after['default_parameters'])}")
    if "max_parameters" in after:
        parts.append(f"At most: {_values(after['max_parameters'])}")
    if "lane" in after:
        parts.append(f"Fastest lane: {after['lane'] or 'no limit'}")
    return ". ".join(parts)
