"""The part of a plan that speaks of the library: prompts, their versions and labels, and their tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.core.errors import BadInput
from console.evals.checks import check_specs
from console.evals.models import TestCase
from console.evals.services import cases as case_services
from console.pages.configuration.document import Place
from console.pages.configuration.forms import Entry
from console.pages.configuration.free import plain
from console.pages.configuration.steps import FieldChange, Ref, Sign, Step, differences, drop
from console.teams.models import Team
from prompts_app.models import Kind, Label, Prompt, PromptVersion, Waiver
from prompts_app.parameters import check_parameters
from prompts_app.services.labels import publish
from prompts_app.services.prompts import change_prompt, check_tags, create_prompt
from prompts_app.services.versions import read, save_version
from prompts_app.services.waivers import end_waiver, give_waiver
from prompts_app.text.variables import check_declared

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_SETTINGS = ("visibility", "description", "tags")
_OF_A_CASE: dict[str, Any] = {"variables": {}, "message": "", "expected": ""}


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
        self.later: list[Step] = []

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
        self._tests(entry, row)
        self.texts[slug] = includes, self.plan.steps[steps:]
        del self.plan.steps[steps:]
        self._required(entry, row)
        self._waivers(entry, row)

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
        self.plan.steps += self.later

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
        """Say whether a number is that of this text or of none; versions never change."""
        number = text.entry["number"]
        version = PromptVersion.objects.filter(prompt=row, number=number).first()
        if version is None or text.is_said_by(version):
            return True
        said = f"Version {number} of {row.slug} says something else, and versions never change; leave the number out."
        self.plan.problem(text.entry, "number", said)
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
        said |= {label: _shown(text.content) for text in texts for label in text.labels or ["version"]}
        self.plan.create(entry, "prompt", entry["slug"], said, make, self._needs(entry, texts), _find(entry))

    def _change(self, entry: Entry, row: Prompt, texts: Sequence[Text]) -> None:
        settings = _settings(entry)
        fields = differences({name: (getattr(row, name), value) for name, value in settings.items()})
        on = {label.name: label.version for label in row.labels.all()}
        for text in texts:
            said = _shown(text.content)
            for label in text.labels:
                if not text.is_said_by(on.get(label)):
                    was = _shown(on[label].content) if label in on else "none"
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
            "number": text.entry.get("number"),
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

    # Tests ------------------------------------------------------------------------------------------------------------

    def _tests(self, entry: Entry, row: Prompt | None) -> None:
        cases = {case.name: case for case in row.test_cases.all()} if row is not None else {}
        seen: set[str] = set()
        for test in entry.get("tests", []):
            if not (test.has("name") and test.has("checks")):
                continue
            name = test["name"].strip()
            if name in seen:
                self.plan.problem(test, "name", f"{entry['slug']} has the test {name!r} twice in this file.")
                continue
            seen.add(name)
            self._test(entry["slug"], test, name, cases.get(name))

    def _test(self, slug: str, test: Entry, name: str, case: TestCase | None) -> None:
        wanted = {field: plain(test.get(field, usual)) for field, usual in _OF_A_CASE.items()}
        raw = [{key: plain(value) for key, value in one.values.items()} for one in test["checks"]]
        for one in raw:
            one |= {"threshold": float(one["threshold"])} if "threshold" in one else {}
        try:
            wanted["checks"] = check_specs(raw, expected=wanted["expected"])
        except BadInput as refusal:
            self.plan.problem_at(_in_list(test, "checks", refusal.param or ""), refusal.message)
            return
        title, needs = f"{slug}: {name}", frozenset({("prompt", slug)})

        def make() -> None:
            prompt = Prompt.objects.select_related("team", "head").get(slug=slug, deleted_at=None)
            drop(case_services.create_case(actor=self.plan.actor, prompt=prompt, name=name, **wanted))

        if case is None:
            self.plan.create(test, "test", title, {"checks": len(raw)}, make, needs)
            return
        fields = differences({field: (getattr(case, field), value) for field, value in wanted.items()})
        self.plan.change(
            test,
            "test",
            title,
            fields,
            lambda: drop(case_services.change_case(actor=self.plan.actor, case=case, **wanted)),
            needs,
        )

    # What must be included --------------------------------------------------------------------------------------------

    def _required(self, entry: Entry, row: Prompt | None) -> None:
        if not (entry.has("is_required") or entry.has("covers")):
            return
        covered = [slug for slug in entry.get("covers", []) if self.plan.is_there(entry, "covers", "team", slug)]
        had = sorted(team.slug for team in row.covers.all()) if row is not None else []
        was, wanted = row is not None and row.is_required, entry.get("is_required")
        fields = differences({"is_required": (was, wanted)} if wanted is not None else {})
        fields += differences({"covers": (had, sorted(set(covered)))} if entry.has("covers") else {})

        def change() -> None:
            teams = list(Team.objects.filter(slug__in=covered)) if entry.has("covers") else None
            prompt = Prompt.objects.get(slug=entry["slug"], deleted_at=None)
            change_prompt(actor=self.plan.actor, prompt=prompt, is_required=wanted, covers=teams)

        if fields:
            needs: frozenset[Ref] = frozenset({("prompt", entry["slug"]), *(("team", slug) for slug in covered)})
            self.later.append(Step(entry.place, "partial", entry["slug"], "~", fields, change, needs, entry.find))

    def _waivers(self, entry: Entry, row: Prompt | None) -> None:
        have = {waiver.partial.slug: waiver for waiver in row.waivers.all()} if row is not None else {}
        for waiver in entry.get("waivers", []):
            if not (waiver.has("partial") and waiver.has("reason")):
                continue
            partial, reason = waiver["partial"], waiver["reason"].strip()
            known = have.get(partial)
            fields = differences({"reason": (known.reason if known else None, reason)})
            if fields:
                sign: Sign = "~" if known else "+"
                run = self._waiver_of(entry["slug"], partial, reason, known)
                needs: frozenset[Ref] = frozenset(
                    {("prompt", entry["slug"]), ("prompt", partial), ("partial", partial)}
                )
                name = f"{entry['slug']} without {partial}"
                self.later.append(Step(waiver.place, "waiver", name, sign, fields, run, needs, waiver.find))

    def _waiver_of(self, slug: str, partial: str, reason: str, known: Waiver | None) -> Any:
        def run() -> None:
            found = {one.slug: one for one in Prompt.objects.filter(slug__in=[slug, partial], deleted_at=None)}
            if partial not in found:
                raise BadInput(f"There is no prompt {partial!r}, here or in this file.", param="partial")
            if known is not None:
                end_waiver(actor=self.plan.actor, waiver=known)
            give_waiver(actor=self.plan.actor, prompt=found[slug], partial=found[partial], reason=reason)

        return run


def _settings(entry: Entry) -> dict[str, Any]:
    given = {name: "" if entry[name] is None else entry[name] for name in _SETTINGS if entry.has(name)}
    return {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}


def _declared(entry: Entry) -> dict[str, Any]:
    names = {"required": "is_required"}
    return {names.get(name, name): plain(value) for name, value in entry.values.items()}


def _shown(content: list[dict[str, str]]) -> str:
    """Return a text as a difference shows it."""
    return "\n".join(f"{one['role']}: {one['text']}" if one["role"] else one["text"] for one in content)


def _find(entry: Entry) -> Any:
    """Return where a field is that a service refuses: what is wrong with a version, at the version."""
    return lambda param: (
        _in_list(entry, "versions", "") if param in {"version", "number", "label"} else entry.find(param)
    )


def _in_version(entry: Entry, param: str) -> Place:
    """Return where in a version a field is that its reader names its own way."""
    if param.startswith("content"):
        number = param.removeprefix("content[").partition("]")[0]
        return _in_list(entry, "messages", number) if entry.has("messages") else entry.at("text")
    first, _, rest = param.partition(".")
    if first == "variables" and rest:
        name, _, field = rest.partition(".")
        for one in entry.get("variables", []):
            if one.get("name") == name:
                found: Place = one.find({"is_required": "required"}.get(field, field)) if field else one.place
                return found
    return entry.find(param)


def _in_list(entry: Entry, field: str, param: str) -> Place:
    """Return where `checks[0].value`, or only `0`, of a list of this entry is."""
    number, _, inner = param.removeprefix(field).lstrip("[").partition("]")
    items = entry.get(field, [])
    if number.isdigit() and int(number) < len(items):
        one: Entry = items[int(number)]
        return one.find(inner.lstrip(".")) if inner.lstrip(".") else one.place
    return entry.at(field)
