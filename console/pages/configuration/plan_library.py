"""The part of a plan about prompts, versions, labels and tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.core.errors import BadInput
from console.pages.configuration.document import Place
from console.pages.configuration.forms import Entry
from console.pages.configuration.free import plain
from console.pages.configuration.plan_partials import PartialPlan
from console.pages.configuration.plan_prompt_tests import PromptTestPlan
from console.pages.configuration.steps import FieldChange, Ref, Step, differences
from prompts_app.models import Kind, Label, Prompt, PromptVersion
from prompts_app.parameters import check_parameters
from prompts_app.services.labels import publish
from prompts_app.services.prompts import change_prompt, check_tags, create_prompt
from prompts_app.services.versions import Provenance, read, save_version
from prompts_app.text.variables import check_declared

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_SETTINGS = ("visibility", "description", "tags")


@dataclass(frozen=True, slots=True)
class Text:
    """What a version of the file says, in the spelling versions are kept in."""

    entry: Entry
    content: list[dict[str, str]]
    variables: list[dict[str, Any]]
    parameters: dict[str, Any]
    includes: frozenset[str]

    @property
    def labels(self) -> list[str]:
        return list(self.entry.get("labels", []))

    def is_said_by(self, version: PromptVersion | None) -> bool:
        return version is not None and all(
            getattr(version, name) == getattr(self, name) for name in ("content", "variables", "parameters")
        )


class LibraryPlan:
    """Adds the steps of prompts to a plan: partials before those that include them, and tests after what they test."""

    def __init__(self, plan: Plan, entries: Iterable[Any]) -> None:
        self.plan = plan
        slugs = [entry["slug"] for entry in entries if isinstance(entry, Entry) and entry.has("slug")]
        rows = Prompt.objects.filter(deleted_at=None, slug__in=slugs).select_related("team", "head")
        rows = rows.prefetch_related("labels__version", "covers", "test_cases", "waivers__partial")
        self.rows = {prompt.slug: prompt for prompt in rows}
        self.texts: dict[str, tuple[set[str], list[Step]]] = {}
        self.tests, self.partials = PromptTestPlan(plan), PartialPlan(plan)

    def prompt(self, entry: Entry) -> None:
        slug, row = entry["slug"], self.rows.get(entry["slug"])
        kind = row.kind if row is not None else entry.get("kind", Kind.TEXT.value)
        if row is not None and row.team.slug != entry["team"]:
            self.plan.problem(entry, "slug", f"The prompt {slug} is of another team; choose another name.")
            return
        if entry.get("kind", kind) != kind:
            self.plan.problem(entry, "kind", f"{slug} is a {kind} prompt, which stays; choose another name.")
            return
        if row is None and not entry.get("versions"):
            self.plan.problem(entry, "versions", f"The prompt {slug} is new; write at least one version of it.")
            return
        given = entry.get("versions", [])
        texts = [text for version in given if (text := self._text(version, kind, row)) is not None]
        try:
            if entry.has("tags"):
                entry.values["tags"] = check_tags(entry["tags"])
        except BadInput as refusal:
            self.plan.problem(entry, "tags", refusal.message)
            return
        if len(texts) != len(given) or not self._are_apart(texts):
            return
        steps = len(self.plan.steps)
        if row is None:
            self._create(entry, kind, texts)
        else:
            self._change(entry, row, texts)
        includes = {included for text in texts for included in text.includes}
        self.tests.tests(entry, row)
        self.texts[slug] = includes, self.plan.steps[steps:]
        del self.plan.steps[steps:]
        self.partials.required(entry, row)
        self.partials.waivers(entry, row)

    def finish(self) -> None:
        """Add the steps: what is included first, and what every prompt must include when all of them are there."""
        done: set[str] = set()

        def add(slug: str) -> None:
            if slug in done or slug not in self.texts:
                return
            done.add(slug)
            includes, steps = self.texts[slug]
            for included in sorted(includes):
                add(included)
            self.plan.steps += steps

        for slug in self.texts:
            add(slug)
        self.partials.finish()

    # Texts ------------------------------------------------------------------------------------------------------------

    def _text(self, entry: Entry, kind: str, row: Prompt | None) -> Text | None:
        """Return what a version of the file says; None when that is wrong, which is put down."""
        field = "messages" if kind == Kind.CHAT else "text"
        if not entry.has(field):
            if field not in entry.places:
                self.plan.problem(entry, "", f"A version of a {kind} prompt needs {field}.")
            return None
        if wrong := next((name for name in ("text", "messages") if name != field and name in entry.places), None):
            self.plan.problem(entry, wrong, f"A {kind} prompt has {field}, not {wrong}.")
            return None
        raw: Any = [{"role": "", "text": entry["text"]}] if field == "text" else [m.values for m in entry["messages"]]
        try:
            content = read(raw, kind)
            variables = check_declared([_declared(one) for one in entry.get("variables", [])], content.variables)
            parameters = check_parameters(plain(entry.get("parameters")))
        except BadInput as refusal:
            self.plan.problem_at(_in_version(entry, refusal.param or ""), refusal.message)
            return None
        text = Text(entry, content.content, variables, parameters, frozenset(ref.slug for ref in content.includes))
        if row is not None and entry.has("number") and not self._is_free(row, text):
            return None
        return text

    def _is_free(self, row: Prompt, text: Text) -> bool:
        """Return whether a number is that of this text or of none; versions never change."""
        number = text.entry["number"]
        version = PromptVersion.objects.filter(prompt=row, number=number).first()
        if version is None or text.is_said_by(version):
            return True
        message = (
            f"Version {number} of {row.slug} says something else, and versions never change; leave the number out."
        )
        self.plan.problem(text.entry, "number", message)
        return False

    def _are_apart(self, texts: Sequence[Text]) -> bool:
        """See to it that a label stands on one version."""
        seen: set[str] = set()
        for text in texts:
            for n, label in enumerate(text.labels):
                if label in seen:
                    self.plan.problem(text.entry, f"labels[{n}]", f"The label {label} is on two versions.")
                    return False
                seen.add(label)
        return True

    def _create(self, entry: Entry, kind: str, texts: Sequence[Text]) -> None:
        settings = _settings(entry)

        def make() -> None:
            first = texts[0]
            prompt = create_prompt(
                actor=self.plan.actor,
                team=self.plan.team(entry),
                slug=entry["slug"],
                kind=kind,
                **settings,
                **self._words(first),
            )
            self._put(prompt, texts)

        said = {"kind": kind} | settings
        said |= {label: _as_text(text.content) for text in texts for label in text.labels or ["version"]}
        self.plan.create(entry, "prompt", entry["slug"], said, make, self._needs(entry, texts), _find(entry))

    def _change(self, entry: Entry, row: Prompt, texts: Sequence[Text]) -> None:
        settings = _settings(entry)
        fields = differences({name: (getattr(row, name), value) for name, value in settings.items()})
        on = {label.name: label.version for label in row.labels.all()}
        for text in texts:
            said = _as_text(text.content)
            for label in text.labels:
                if not text.is_said_by(on.get(label)):
                    was = _as_text(on[label].content) if label in on else "none"
                    new = f"{said} (other variables or parameters)" if was == said else said
                    fields += differences({label: (was, new)})
            if not text.labels and self._there(row, text) is None:
                fields.append(FieldChange("version", "none", said))

        def change() -> None:
            if settings:
                change_prompt(actor=self.plan.actor, prompt=row, **settings)
            self._put(row, texts)

        self.plan.change(entry, "prompt", row.slug, fields, change, self._needs(entry, texts), _find(entry))

    @staticmethod
    def _needs(entry: Entry, texts: Sequence[Text]) -> frozenset[Ref]:
        return frozenset(
            {("team", entry["team"])} | {("prompt", included) for text in texts for included in text.includes}
        )

    def _there(self, prompt: Prompt, text: Text) -> PromptVersion | None:
        """Return the version that says this, the newest of several."""
        if text.entry.has("number"):
            return PromptVersion.objects.filter(prompt=prompt, number=text.entry["number"]).first()
        if text.is_said_by(prompt.head):
            return prompt.head
        said = {name: getattr(text, name) for name in ("content", "variables", "parameters")}
        return PromptVersion.objects.filter(prompt=prompt, **said).order_by("-number").first()

    def _words(self, text: Text) -> dict[str, Any]:
        return {
            "content": text.content,
            "variables": text.variables,
            "parameters": text.parameters,
            "message": text.entry.get("message", ""),
            "provenance": Provenance(number=text.entry.get("number")),
        }

    def _put(self, prompt: Prompt, texts: Sequence[Text]) -> None:
        """Save what is not there, and have labels mean it."""
        for text in texts:
            prompt = Prompt.objects.select_related("team", "head").get(pk=prompt.pk)
            on = {label.name: label for label in Label.objects.filter(prompt=prompt).select_related("version")}
            moving = [name for name in text.labels if name not in on or not text.is_said_by(on[name].version)]
            if text.labels and not moving:
                continue
            version = self._there(prompt, text) or save_version(
                actor=self.plan.actor, prompt=prompt, parent=prompt.head, **self._words(text)
            )
            for name in moving:
                publish(
                    actor=self.plan.actor,
                    prompt=prompt,
                    version=version,
                    label=name,
                    reason=self.plan.reason,
                    seen_revision=on[name].revision if name in on else 0,
                )


def _settings(entry: Entry) -> dict[str, Any]:
    given = {name: "" if entry[name] is None else entry[name] for name in _SETTINGS if entry.has(name)}
    return {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}


def _declared(entry: Entry) -> dict[str, Any]:
    names = {"required": "is_required"}
    return {names.get(name, name): plain(value) for name, value in entry.values.items()}


def _as_text(content: list[dict[str, str]]) -> str:
    """Return a text as a difference shows it."""
    return "\n".join(f"{one['role']}: {one['text']}" if one["role"] else one["text"] for one in content)


def _find(entry: Entry) -> Any:
    """Return where a field is that a service refuses: what is wrong with a version, at the version."""
    return lambda param: entry.in_list("versions", "") if param in {"version", "number", "label"} else entry.find(param)


def _in_version(entry: Entry, param: str) -> Place:
    """Return where in a version a field is that its reader names its own way."""
    if param.startswith("content"):
        number = param.removeprefix("content[").partition("]")[0]
        return entry.in_list("messages", number) if entry.has("messages") else entry.at("text")
    first, _, rest = param.partition(".")
    if first == "variables" and rest:
        name, _, field = rest.partition(".")
        for one in entry.get("variables", []):
            if one.get("name") == name:
                found: Place = one.find({"is_required": "required"}.get(field, field)) if field else one.place
                return found
    return entry.find(param)
