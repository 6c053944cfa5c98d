"""Checks of answers that need no call; similarity and judge are in `model_checks.py`."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from console.core.errors import BadInput
from console.evals import schemas

MOST_CHECKS = 20
_LONGEST_VALUE = 20_000
DEFAULT_THRESHOLD = 0.8
EMBED_ALIAS = "embed"
KINDS = {
    "equals": "Equals",
    "contains": "Contains",
    "not_contains": "Does not contain",
    "json_schema": "Matches the JSON schema",
    "similarity": "Means the same",
    "judge": "A model judges",
}
NEEDS_CALL = frozenset({"similarity", "judge"})
Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says; one that could not be made says nothing of the answer, and has not passed."""

    passed: bool
    reason: str = ""
    was_made: bool = True


def share_passed(checks: Iterable[Mapping[str, Any]]) -> float | None:
    """Return how many in a hundred of these kept verdicts passed, of those that were made; None without one."""
    parts = [check["passed"] for check in checks if check.get("was_made", True)]
    return 100 * sum(parts) / len(parts) if parts else None


def check_specs(raw: Any, *, expected: str) -> list[Spec]:
    """Return the checks of a case in one spelling; BadInput names the first that cannot be one."""
    if not isinstance(raw, list) or not raw:
        raise BadInput("A test needs at least one check.", param="checks")
    if len(raw) > MOST_CHECKS:
        raise BadInput(f"A test has at most {MOST_CHECKS} checks.", param="checks")
    return [_check_spec(one, f"checks[{at}]", expected) for at, one in enumerate(raw)]


def _check_spec(raw: Any, at: str, expected: str) -> Spec:
    if not isinstance(raw, dict):
        raise BadInput("A check is an object with kind and value.", param=at)
    unknown = sorted(raw.keys() - {"kind", "value", "threshold", "alias"})
    if unknown:
        raise BadInput(f"{unknown[0][:60]!r} is not a field of a check.", param=at)
    kind, value = raw.get("kind"), raw.get("value", "")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadInput(f"A check's kind is one of {', '.join(KINDS)}.", param=f"{at}.kind")
    if kind == "json_schema" and isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str) or len(value) > _LONGEST_VALUE:
        raise BadInput(f"{KINDS[kind]}: value is a text of up to {_LONGEST_VALUE:,} characters.", param=f"{at}.value")
    if not value.strip() and not (kind in {"equals", "similarity"} and expected):
        what = {"json_schema": "a schema", "judge": "a rubric"}.get(
            kind, "a text, or an expected answer to compare with"
        )
        raise BadInput(f"{KINDS[kind]}: this check needs {what}.", param=f"{at}.value")
    spec: Spec = {"kind": kind, "value": value}
    if kind == "json_schema":
        _schema(value, at)
    if kind == "similarity":
        spec["threshold"] = _threshold(raw.get("threshold"), at)
    if kind in NEEDS_CALL:
        alias = raw.get("alias") or (EMBED_ALIAS if kind == "similarity" else "")
        if not isinstance(alias, str) or not alias or len(alias) > 200:
            raise BadInput(f"{KINDS[kind]}: say which alias to ask.", param=f"{at}.alias")
        spec["alias"] = alias
    return spec


def _threshold(raw: Any, at: str) -> float:
    raw = DEFAULT_THRESHOLD if raw is None or raw == "" else raw
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 < raw <= 1:
        raise BadInput("Means the same: the threshold is a number above 0 and up to 1.", param=f"{at}.threshold")
    return float(raw)


def _schema(text: str, at: str) -> None:
    try:
        schemas.check(text)
    except schemas.BadSchema as wrong:
        raise BadInput(f"Matches the JSON schema: {wrong}", param=f"{at}.value") from None


def title_of(spec: Spec) -> str:
    """Return a check as people read it, short enough for a table."""
    words = " ".join(spec["value"].split())
    shown = words if len(words) <= 60 else words[:57] + "…"
    if spec["kind"] == "json_schema" or not shown:
        return KINDS[spec["kind"]]
    return f"{KINDS[spec['kind']]}: {shown}"


def look(spec: Spec, output: str, expected: str) -> Verdict:
    """Return what a check that needs no call says of an answer."""
    kind, value = spec["kind"], spec["value"]
    if kind == "equals":
        said = "" if output.strip() == (value or expected).strip() else "It says something else."
    elif kind == "contains":
        said = "" if value in output else "It is not there."
    elif kind == "not_contains":
        said = "It is there." if value in output else ""
    else:
        said = schemas.problem(value, output)
    return Verdict(not said, said)
