"""The form of a test case: fields for the prompt's variables, and a row for each check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.core.errors import BadInput, Overtaken
from console.core.forms import what_differs
from console.evals.checks import DEFAULT_THRESHOLD, EMBED_ALIAS, MOST_CHECKS, Spec
from console.evals.models import TestCase
from prompts_app.text.variables import values_from_texts


@dataclass(slots=True)
class CheckRow:
    kind: str = "contains"
    value: str = ""
    threshold: str = str(DEFAULT_THRESHOLD)
    alias: str = ""


@dataclass(slots=True)
class CaseForm:
    """What stands in the form; nothing is lost when it cannot be saved."""

    name: str = ""
    message: str = ""
    expected: str = ""
    values: dict[str, str] = field(default_factory=dict)
    checks: list[CheckRow] = field(default_factory=list)
    seen_revision: str = ""
    error: str = ""
    wrong: str = ""  # the name of the field it is about


def of_case(case: TestCase, texts: Mapping[str, str]) -> CaseForm:
    """Return the form for a case that is there."""
    rows = [
        CheckRow(check["kind"], check["value"], str(check.get("threshold", DEFAULT_THRESHOLD)), check.get("alias", ""))
        for check in case.checks
    ]
    return CaseForm(case.name, case.message, case.expected, dict(texts), rows, str(case.revision))


def read_checks(posted: Mapping[str, str]) -> list[CheckRow]:
    """Return the checks that were typed, a row each."""
    return [
        CheckRow(
            posted[f"c-{at}-kind"],
            posted.get(f"c-{at}-value", ""),
            posted.get(f"c-{at}-threshold", ""),
            posted.get(f"c-{at}-alias", ""),
        )
        for at in range(MOST_CHECKS + 1)
        if f"c-{at}-kind" in posted
    ]


def read(posted: Mapping[str, str]) -> CaseForm:
    """Return what was typed, in the page's own form or in the playground's."""
    rows = read_checks(posted)
    values = {name.removeprefix("var-"): text for name, text in posted.items() if name.startswith("var-")}
    name, seen = posted.get("name", "").strip(), posted.get("seen_revision", "")
    return CaseForm(name, posted.get("message", ""), posted.get("expected", ""), values, rows, seen)


# What a test is made of, by the names of the page.
_PARTS = {
    "name": "Name",
    "variables": "the variables",
    "message": "Message",
    "expected": "Expected answer",
    "checks": "the checks",
}


def decide_anew(form: CaseForm, refusal: Overtaken, case: TestCase, fields: Mapping[str, Any]) -> None:
    """Let a form that showed an older state of the case be sent again as it stands, and say what it would replace."""
    form.seen_revision = str(case.revision)
    form.error = what_differs(refusal, [part for name, part in _PARTS.items() if fields[name] != getattr(case, name)])


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer the playground sends over, and what gave it."""

    letter: str
    text: str
    version: str
    model: str

    @property
    def name(self) -> str:
        return self.letter.upper()

    @property
    def wording(self) -> str:
        """What of the prompt was asked; nothing where none was."""
        return "the draft" if self.version == "draft" else self.version and f"v{self.version}"


@dataclass(frozen=True, slots=True)
class Sent:
    """The answers that were on the page, and the one the test is to expect."""

    answers: tuple[Answer, ...] = ()
    chosen: Answer | None = None

    @property
    def text(self) -> str:
        return self.chosen.text if self.chosen else ""

    @property
    def others(self) -> list[Answer]:
        return [answer for answer in self.answers if answer is not self.chosen]


def sent_over(posted: Mapping[str, str]) -> Sent:
    """Return the answers of the playground: the one asked for, else the one called good, else the first."""
    answers = tuple(
        Answer(letter, text, posted.get(f"{letter}-version", "")[:10], posted.get(f"{letter}-model", "")[:200])
        for letter in "abc"
        if (text := posted.get(f"{letter}-answer", "").strip())
    )
    wanted = posted.get("from") or posted.get("expected-from", "")
    by_letter = {answer.letter: answer for answer in answers}
    good = [answer for answer in answers if posted.get(f"{answer.letter}-rating") == "good"]
    return Sent(answers, by_letter.get(wanted) or next(iter([*good, *answers]), None))


def fields_of(form: CaseForm, declared: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the services take. What cannot be read is refused by its name."""
    names = {one["name"] for one in declared}
    typed = {name: text.replace("\r\n", "\n") for name, text in form.values.items() if name in names}
    return {
        "name": form.name,
        "message": form.message.replace("\r\n", "\n").strip(),
        "expected": form.expected.replace("\r\n", "\n").strip(),
        "variables": values_from_texts(declared, typed),
        "checks": specs_of(form.checks),
    }


def specs_of(rows: Sequence[CheckRow]) -> list[Spec]:
    """Return checks as the services take them; one whose threshold is no number is refused."""
    return [_spec(row) for row in rows if row.kind]


def _spec(row: CheckRow) -> Spec:
    spec: Spec = {"kind": row.kind, "value": row.value.replace("\r\n", "\n")}
    if row.kind == "similarity":
        try:
            spec["threshold"] = float(row.threshold or DEFAULT_THRESHOLD)
        except ValueError:
            raise BadInput(f"The threshold is a number; this is {row.threshold[:40]!r}.") from None
        spec["alias"] = row.alias.strip() or EMBED_ALIAS
    if row.kind == "judge":
        spec["alias"] = row.alias.strip()
    return spec
