"""The state of the page: a prompt with variables, messages, and up to three set-ups."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from console.core.ids import parse_request_id, request_id
from prompts_app.text.refs import parse_ref

LETTERS = ("a", "b", "c")
# The parameters with a field of their own, and the label of each.
PARAMETERS = {"temperature": "Temperature", "top_p": "Top p", "max_tokens": "Most tokens"}
LONGEST_MESSAGE = 100_000
# What stands for a version's number where it is one's own draft.
DRAFT = "draft"
# Who may say what is typed, and how many messages may stand before the last.
ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}
MOST_TURNS = 200
RATINGS = ("good", "bad")


@dataclass(frozen=True, slots=True)
class SetUp:
    """One column as it was typed: a version's number (DRAFT for one's draft, "" for no prompt), a model, parameters."""

    letter: str
    version: str = ""
    model: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    # The call that gave the answer, and what the reader said of it: good, bad, or nothing.
    request: str = ""
    rating: str = ""

    @property
    def name(self) -> str:
        return self.letter.upper()

    @property
    def fields(self) -> list[tuple[str, str, str]]:
        """Name, label and typed text of each parameter."""
        return [(name, label, self.parameters.get(name, "")) for name, label in PARAMETERS.items()]

    @property
    def has_parameters(self) -> bool:
        return any(self.parameters.values())


@dataclass(frozen=True, slots=True)
class Turn:
    """One message before the last. `raw` is one that is more than words, as JSON: it goes along as it is."""

    role: str
    text: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """The whole page as it was typed. `team`, `slug` and `case` are names still to be looked up.

    `extra` is what else goes with each call, a JSON object; `record` is the call of the log it all was taken from.
    """

    team: str = ""
    slug: str = ""
    message: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    set_ups: tuple[SetUp, ...] = ()
    case: str = ""
    turns: tuple[Turn, ...] = ()
    extra: str = ""
    record: str = ""

    def set_up(self, letter: str) -> SetUp | None:
        return next((set_up for set_up in self.set_ups if set_up.letter == letter), None)

    def replacing(self, changed: SetUp) -> "Bench":
        rows = tuple(changed if set_up.letter == changed.letter else set_up for set_up in self.set_ups)
        return replace(self, set_ups=rows)

    def added(self) -> "Bench":
        """Return it with one more set-up, a copy of the last."""
        if len(self.set_ups) >= len(LETTERS):
            return self
        last = self.set_ups[-1]
        copy = SetUp(LETTERS[len(self.set_ups)], last.version, last.model, last.parameters)
        return replace(self, set_ups=(*self.set_ups, copy))

    def with_turn(self) -> "Bench":
        """Return it with one more message before the last; what the system says is the first."""
        if len(self.turns) >= MOST_TURNS:
            return self
        parts = [turn.role for turn in self.turns]
        role = "assistant" if parts[-1:] == ["user"] else "user" if parts or self.slug else "system"
        return replace(self, turns=(*self.turns, Turn(role)))

    def without_turn(self, place: str) -> "Bench":
        kept = tuple(turn for at, turn in enumerate(self.turns) if str(at) != place)
        return replace(self, turns=kept)

    def without(self, letter: str) -> "Bench":
        """Return it without a set-up; the ones behind it move up."""
        kept = [set_up for set_up in self.set_ups if set_up.letter != letter] or list(self.set_ups)
        return replace(self, set_ups=tuple(replace(one, letter=LETTERS[at]) for at, one in enumerate(kept)))


def _lines(text: str) -> str:
    """Return a text as it was before the browser sent its lines as forms have them."""
    return text.replace("\r\n", "\n")


def read(form: Mapping[str, str]) -> Bench:
    """Return what a form of the page holds. Nothing is judged here: whatever was typed comes back on the page."""
    values = {name.removeprefix("var-"): _lines(text) for name, text in form.items() if name.startswith("var-")}
    set_ups = tuple(
        SetUp(
            letter,
            version=form.get(f"{letter}-version", ""),
            model=form.get(f"{letter}-model", ""),
            parameters={name: form.get(f"{letter}-{name}", "").strip() for name in PARAMETERS},
            answer=form.get(f"{letter}-answer", ""),
            request=form.get(f"{letter}-request", "")[:40],
            rating=form.get(f"{letter}-rating", "") if form.get(f"{letter}-rating") in RATINGS else "",
        )
        for letter in LETTERS
        if f"{letter}-model" in form
    )
    turns = tuple(
        Turn(form[f"t-{at}-role"], _lines(form.get(f"t-{at}-text", "")), form.get(f"t-{at}-raw", ""))
        for at in range(MOST_TURNS)
        if f"t-{at}-role" in form
    )
    ref = parse_ref(form.get("prompt", "").strip())
    slug = ref.slug if ref else form.get("prompt", "").strip()
    message = _lines(form.get("message", ""))[:LONGEST_MESSAGE]
    return Bench(
        form.get("for", ""),
        slug,
        message,
        values,
        set_ups,
        form.get("case", ""),
        turns,
        form.get("extra", ""),
        request_id(record) if (record := parse_request_id(form.get("record", ""))) else "",
    )
