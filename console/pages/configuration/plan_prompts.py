"""The part of a plan about instructions: text prompts whose labels a file moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.pages.configuration.forms import Entry
from console.pages.configuration.steps import Ref, differences
from prompts_app.models import Kind, Label, Prompt, PromptVersion
from prompts_app.services.labels import publish
from prompts_app.services.prompts import create_prompt
from prompts_app.services.versions import save_version

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

# Where the environments look, when an agent names no label.
USUAL = ("production", "staging")


class PromptPlan:
    """Adds one step per text the file gives. Each is a version like any other, and its labels move to it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        rows = Prompt.objects.filter(deleted_at=None).select_related("team", "head")
        self.prompts = {prompt.slug: prompt for prompt in rows.prefetch_related("labels__version")}

    def instructions(self, entry: Entry, slug: str, label: str) -> frozenset[Ref]:
        """Plan that the labels an agent looks for stand on its instructions; return what the agent has to wait for."""
        made: Ref = ("prompt", slug)
        row, labels = self.prompts.get(slug), (label,) if label else USUAL
        if made in self.plan.will_be:
            self.plan.problem(entry, "instructions", f"The instructions {slug} are in this file twice.")
            return frozenset()
        self.plan.will_be.add(made)
        text = entry["instructions"].replace("\r\n", "\n").strip()
        if row is None:
            said = {"characters": len(text), "labels": list(labels)}
            self.plan.create(
                entry, "prompt", slug, said, lambda: self._make(entry, slug, text, labels), locate=entry.find
            )
            return frozenset({made})
        if row.team.slug != entry["team"] or row.kind != Kind.TEXT:
            what = "of another team" if row.team.slug != entry["team"] else f"a {row.kind} prompt"
            self.plan.problem(entry, "instructions", f"{slug} is {what}; name another prompt, or leave the text out.")
            return frozenset()
        on = {one.name: text_of(one.version) for one in row.labels.all()}
        fields = differences({name: (on.get(name), text) for name in labels})

        def change() -> None:
            self._publish(row, self._version(row, text), labels)

        self.plan.change(entry, "prompt", slug, fields, change)
        return frozenset({made})

    def _make(self, entry: Entry, slug: str, text: str, labels: tuple[str, ...]) -> None:
        about = f"What the agent {entry['slug']} is told."
        prompt = create_prompt(
            actor=self.plan.actor, team=self.plan.team(entry), slug=slug, description=about, content=_content(text)
        )
        assert prompt.head is not None
        self._publish(prompt, prompt.head, labels)

    def _version(self, prompt: Prompt, text: str) -> PromptVersion:
        """Return a version with this text: the newest when it has it, a new one otherwise."""
        head = prompt.head
        if head is not None and text_of(head) == text:
            return head
        return save_version(
            actor=self.plan.actor,
            prompt=prompt,
            content=_content(text),
            variables=head.variables if head else (),
            parameters=head.parameters if head else None,
            message=self.plan.reason,
            parent=head,
        )

    def _publish(self, prompt: Prompt, version: PromptVersion, labels: tuple[str, ...]) -> None:
        for name in labels:
            now = Label.objects.filter(prompt=prompt, name=name).first()
            if now is None or now.version_id != version.pk:
                publish(
                    actor=self.plan.actor,
                    prompt=prompt,
                    version=version,
                    label=name,
                    reason=self.plan.reason,
                    seen_revision=now.revision if now else 0,
                )


def text_of(version: PromptVersion) -> str | None:
    """Return the text of a text prompt's version."""
    return version.content[0]["text"].strip() if len(version.content) == 1 else None


def _content(text: str) -> list[dict[str, str]]:
    return [{"role": "", "text": text}]
