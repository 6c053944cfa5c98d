"""Create prompts, versions and labels from a Langfuse file; all of it or nothing.

Versions that are here already are not made again, so the same file can be imported twice. A label that is set here
stays where it is: publishing again is a decision, not an import.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from django.db import transaction

from console.core.errors import BadInput, Refusal
from console.teams.callers import Actor
from console.teams.models import Team
from console.teams.rights import rights_of_actor
from prompts_app.git.document import Document
from prompts_app.git.langfuse_file import Source, in_order, plain_slug, read_file, translate
from prompts_app.git.problems import Problem, Unreadable
from prompts_app.git.report import diff
from prompts_app.git.states import document_of, key_of
from prompts_app.models import Label, Prompt, PromptVersion
from prompts_app.services.includes import lock_library
from prompts_app.services.labels import publish
from prompts_app.services.prompts import create_prompt
from prompts_app.services.versions import Provenance, save_version

_REASON = "Imported from Langfuse"


@dataclass(frozen=True, slots=True)
class MadePrompt:
    """One version that was made, or would be."""

    title: str
    ref: str
    is_new: bool
    diff: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.diff)


@dataclass(slots=True)
class Outcome:
    made: list[MadePrompt] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    already: int = 0


def import_langfuse(*, actor: Actor, team: Team, raw: bytes, dry_run: bool = False) -> Outcome:
    """Import a file's prompts into a team. Unreadable names every version that cannot be made."""
    rights = rights_of_actor(actor, team.pk)
    if rights is not None and "build" not in rights:
        raise BadInput(f"{actor.name} may not build prompts of {team.name}.", param="team")
    sources = read_file(raw)
    with transaction.atomic():
        lock_library()
        doing = _Import(actor, team, sources)
        doing.run()
        if doing.problems:
            raise Unreadable(doing.problems)
        if dry_run:
            transaction.set_rollback(True)
    return doing.out


class _Import:
    """One import in progress. Prompts are looked at in proportion to the file: each once, with all of its versions."""

    def __init__(self, actor: Actor, team: Team, sources: list[Source]) -> None:
        self.actor, self.team, self.sources = actor, team, sources
        self.out = Outcome()
        self.problems: list[Problem] = []
        # Labels that could not be set; told when the import is refused, for a text may include what one should name.
        self._unset: list[Problem] = []
        self._numbers: dict[tuple[str, int], int] = {}
        self._partials: dict[str, str] = {}
        self._versions: dict[tuple[str, int], PromptVersion] = {}
        self._here: dict[str, dict[Hashable, PromptVersion]] = {}

    def run(self) -> None:
        self._find_partials()
        self._check_slugs()
        for versions in in_order(self.sources):
            kept = len(self.problems)
            for source in versions:
                self._version(source)
            if len(self.problems) == kept:
                self._labels(versions)
        if self.problems:
            self.problems += self._unset

    def _find_partials(self) -> None:
        """Find what the names that are referred to mean: a text of the file, else a partial of this library."""
        referred = {name for source in self.sources for name in source.references()}
        texts = {source.name: source.slug for source in self.sources if not source.is_chat}
        self._partials = {name: slug for name, slug in texts.items() if name in referred}
        slugs = {name: found for name in referred - texts.keys() if (found := plain_slug(name))}
        rows = Prompt.objects.filter(kind="partial", deleted_at=None, slug__in=set(slugs.values()))
        here = set(rows.values_list("slug", flat=True))
        self._partials |= {name: slug for name, slug in slugs.items() if slug in here}

    def _check_slugs(self) -> None:
        names: dict[str, str] = {}
        for source in self.sources:
            other = names.setdefault(source.slug, source.name)
            if other != source.name:
                self.problems.append(Problem(source.name, 0, f"This and {other!r} would both be {source.slug}."))

    def _version(self, source: Source) -> None:
        notes = list(source.notes)
        try:
            with transaction.atomic():
                self._make(source, notes)
        except Refusal as refusal:
            self.problems.append(Problem(source.title, 0, refusal.message))
        self.out.notes += [f"{source.title}: {note}" for note in dict.fromkeys(notes)]

    def _make(self, source: Source, notes: list[str]) -> None:
        kind = "chat" if source.is_chat else "partial" if source.name in self._partials else "text"
        content = [
            {"role": m["role"], "text": translate(m["text"], self._numbers, self._partials, notes)}
            for m in source.messages
        ]
        prompt = Prompt.objects.select_related("team", "head").filter(slug=source.slug, deleted_at=None).first()
        if prompt is not None and prompt.team_id != self.team.pk:
            raise BadInput(f"{source.slug} is the name of a prompt of another team.")
        if prompt is not None and prompt.kind != kind:
            raise BadInput(f"{source.slug} is a {prompt.kind} prompt here, and would be {kind}.")
        document = Document(kind=kind, content=content, parameters=source.parameters)
        here, key = self._versions_of(source.slug, prompt), key_of(document)
        version = here.get(key) if key else None
        if version is not None:
            self.out.already += 1
        else:
            version = here[key] = self._save(source, prompt, document)
        self._numbers[source.name, source.version] = version.number
        self._versions[source.name, source.version] = version

    def _versions_of(self, slug: str, prompt: Prompt | None) -> dict[Hashable, PromptVersion]:
        """Return the versions a prompt has, by what they say; read once, and grown as they are made."""
        if slug not in self._here:
            versions = prompt.versions.order_by("-number") if prompt else PromptVersion.objects.none()
            self._here[slug] = {}
            for version in versions.select_related("prompt__team"):
                self._here[slug].setdefault(key_of(document_of(version.prompt, version)), version)
        return self._here[slug]

    def _save(self, source: Source, prompt: Prompt | None, document: Document) -> PromptVersion:
        before = document_of(prompt, prompt.head) if prompt and prompt.head else None
        provenance = Provenance(author_name=source.author, created_at=source.created_at)
        if prompt is None:
            made = create_prompt(
                actor=self.actor,
                team=self.team,
                slug=source.slug,
                kind=document.kind,
                tags=source.tags,
                content=document.content,
                parameters=document.parameters,
                message=source.message,
                provenance=provenance,
            ).head
            if made is None:
                raise AssertionError("A prompt has a head from its first moment.")
        else:
            made = save_version(
                actor=self.actor,
                prompt=prompt,
                parent=prompt.head,
                content=document.content,
                variables=[v for v in prompt.head.variables if f"{{{{{v['name']}}}}}" in str(document.content)]
                if prompt.head
                else [],
                parameters=document.parameters,
                message=source.message,
                provenance=provenance,
            )
        self.out.made.append(
            MadePrompt(
                source.title,
                f"{source.slug}@{made.number}",
                prompt is None,
                diff(before, document, f"{source.slug}.md"),
            )
        )
        return made

    def _labels(self, sources: list[Source]) -> None:
        for source in sources:
            version = self._versions[source.name, source.version]
            for name in source.labels:
                there = Label.objects.filter(prompt=version.prompt, name=name).first()
                if there is not None:
                    if there.version_id != version.pk:
                        self.out.notes.append(f"{source.title}: {name} is set here already and stays where it is")
                    continue
                self._publish(source, version, name)

    def _publish(self, source: Source, version: PromptVersion, name: str) -> None:
        try:
            with transaction.atomic():
                publish(
                    actor=self.actor,
                    prompt=version.prompt,
                    version=version,
                    label=name,
                    reason=_REASON,
                    seen_revision=0,
                )
        except Refusal as refusal:
            self.out.notes.append(f"{source.title}: {name} was not set. {refusal.message}")
            self._unset.append(Problem(source.title, 0, f"{name} was not set. {refusal.message}"))
        else:
            self.out.labels.append(f"{version.prompt.slug}:{name} → {version.number}")
