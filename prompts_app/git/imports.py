"""Import commits as versions, in order, with their authors and messages; all of them or none.

1. Find each file's steps that are not known. Nothing is checked out, run or connected to.
2. Steps that follow the console's newest version become versions. The others are conflicts and stay where they are,
   unless the caller says which side to take.
3. What is outside the schema refuses the import as a whole, every problem named.
"""

from collections.abc import Collection
from typing import Any

from django.db import transaction
from dulwich.objects import ObjectID
from dulwich.repo import BaseRepo

from console.core.errors import BadInput, Refusal
from console.teams.callers import Actor
from console.teams.models import Team
from console.teams.rights import rights_of_actor
from prompts_app.git.document import Document
from prompts_app.git.history import Step
from prompts_app.git.models import GitCommit
from prompts_app.git.pending import MINUTES, Pending, Reader, find_pending, prompt_files
from prompts_app.git.problems import Problem, Unreadable
from prompts_app.git.report import Change, Imported, diff
from prompts_app.git.signing import read_author, read_message, read_time
from prompts_app.git.states import document_of, same
from prompts_app.models import Prompt
from prompts_app.services.includes import lock_library
from prompts_app.services.prompts import change_prompt, create_prompt
from prompts_app.services.versions import Provenance, save_version

_SETTINGS = ("description", "tags", "visibility")
Origin = GitCommit.Origin


def import_commits(
    *,
    actor: Actor,
    repo: BaseRepo,
    tip: ObjectID,
    team: Team | None = None,
    take: Collection[str] = (),
    keep: Collection[str] = (),
    dry_run: bool = False,
) -> Imported:
    """Make versions of the commits up to `tip` that are not known yet.

    `team` gets new prompts whose file names none. Of conflicting slugs, those in `take` follow the newest version all
    the same, and those in `keep` are set aside, so that the next export writes the console's text over them.
    """
    reader = Reader(repo, minutes=MINUTES)
    history = prompt_files(repo, tip, reader)
    with transaction.atomic():
        lock_library()
        doing = _Import(actor, reader, team, with_diff=dry_run)
        doing.found.tip = tip.decode()
        doing.run(find_pending(history, reader), take, keep)
        if doing.problems:
            raise Unreadable(doing.problems)
        if dry_run:
            transaction.set_rollback(True)
    return doing.found


class _Import:
    """One import in progress."""

    def __init__(self, actor: Actor, reader: Reader, team: Team | None, *, with_diff: bool) -> None:
        self.actor, self.reader, self.team, self.with_diff = actor, reader, team, with_diff
        self.found = Imported()
        self.problems: list[Problem] = []
        self._failed: set[str] = set()
        self._may_build: dict[Any, bool] = {}

    def run(self, pending: list[Pending], take: Collection[str], keep: Collection[str]) -> None:
        todo: list[tuple[int, bool, str, Step, Pending]] = []
        for entry in pending:
            for step in entry.seen:
                self._remember(entry, step, Origin.IMPORT, is_version=step is entry.seen[-1])
            if entry.conflict and entry.slug in keep and entry.prompt:
                for step in entry.steps:
                    self._remember(entry, step, Origin.KEPT, is_version=False)
            elif entry.conflict and not (entry.slug in take and entry.conflict.kind in {"edited", "unrelated"}):
                self.found.conflicts.append(entry.conflict)
            elif self._reads(entry):
                todo += [(step.order, self._is_user(step), entry.path, step, entry) for step in entry.steps]
        # In the order of the commits; of one commit, partials before those who may include them.
        for *_, step, entry in sorted(todo, key=lambda t: t[:3]):
            if entry.path not in self._failed:
                self._step(entry, step)

    def _reads(self, entry: Pending) -> bool:
        """Check the newest state of a file: it must be readable. A bad state that a later commit mended is skipped."""
        if not entry.steps:
            return False
        try:
            self.reader.document(entry.steps[-1].after, entry.path)
        except Unreadable as error:
            self.problems += error.problems
            return False
        return True

    def _is_user(self, step: Step) -> bool:
        document = self.reader.document_or_none(step.after, step.path)
        return document is None or document.kind != "partial"

    def _step(self, entry: Pending, step: Step) -> None:
        document = self.reader.document_or_none(step.after, entry.path)
        if document is None:
            if step.after is not None:
                self.found.notes.append(
                    f"{entry.path}: commit {step.sha[:10]} left it unreadable; a later one mended it."
                )
            self._remember(entry, step, Origin.IMPORT)
            return
        try:
            with transaction.atomic():
                self._apply(entry, step, document)
                self._remember(entry, step, Origin.IMPORT)
        except Refusal as refusal:
            self._failed.add(entry.path)
            self.problems.append(Problem(entry.path, document.line_of(refusal), refusal.message, step.sha))

    def _apply(self, entry: Pending, step: Step, document: Document) -> None:
        name, email = read_author(step.commit)
        words: dict[str, Any] = {
            "content": document.content,
            "variables": document.variables,
            "parameters": document.parameters,
            "message": read_message(step.commit, entry.slug),
            "provenance": Provenance(name, email, read_time(step.commit)),
        }
        if entry.prompt is None or entry.prompt.head is None:
            entry.prompt = self._create(entry, document, words)
            self._note(entry, step, None, document, number=1, is_new=True)
            return
        self._check(entry.prompt, document, step)
        prompt, was = entry.prompt, document_of(entry.prompt, entry.prompt.head)
        number = 0
        if not same(document, was):
            number = save_version(actor=self.actor, prompt=prompt, parent=prompt.head, **words).number
        settings = self._settings(prompt, self.reader.document_or_none(step.before, entry.path), document)
        if settings:
            change_prompt(actor=self.actor, prompt=prompt, **settings)
        if number or settings:
            entry.prompt = Prompt.objects.select_related("team", "head").get(pk=prompt.pk)
            before = self.reader.document_or_none(step.before, entry.path) or was
            self._note(entry, step, before, document, number=number, is_new=False)

    def _create(self, entry: Pending, document: Document, words: dict[str, Any]) -> Prompt:
        team = self._team(document)
        made = create_prompt(
            actor=self.actor,
            team=team,
            slug=entry.slug,
            kind=document.kind,
            visibility=document.visibility or "team",
            description=document.description or "",
            tags=document.tags or [],
            **words,
        )
        return Prompt.objects.select_related("team", "head").get(pk=made.pk)

    def _team(self, document: Document) -> Team:
        """Return the team a new prompt goes to: the one its file names, else the one the caller did."""
        team = self.team
        if document.team is not None:
            team = Team.objects.filter(slug=document.team, archived_at=None).first()
            if team is None:
                raise BadInput(f"There is no team {document.team!r}; name one that exists.", param="team")
        if team is None:
            raise BadInput("The file names no team for this new prompt; add `team:` or give one.", param="kind")
        self._check_right(team)
        return team

    def _check_right(self, team: Team) -> None:
        if team.pk not in self._may_build:
            rights = rights_of_actor(self.actor, team.pk)
            self._may_build[team.pk] = rights is None or "build" in rights
        if not self._may_build[team.pk]:
            raise BadInput(f"{self.actor.name} may not build prompts of {team.name}.", param="team")

    def _check(self, prompt: Prompt, document: Document, step: Step) -> None:
        self._check_right(prompt.team)
        if document.kind != prompt.kind:
            raise BadInput(f"{prompt.slug} is a {prompt.kind} prompt; its kind cannot change.", param="kind")
        before = self.reader.document_or_none(step.before, step.path)
        was = before.team if before and before.team else prompt.team.slug
        if document.team is not None and document.team not in {was, prompt.team.slug}:
            raise BadInput(f"The prompt belongs to {prompt.team.slug}; a commit cannot move it.", param="team")

    def _settings(self, prompt: Prompt, before: Document | None, document: Document) -> dict[str, Any]:
        """Return what the commit says again of the prompt. Where the console changed it too, the console's stays."""
        found: dict[str, Any] = {}
        for name in _SETTINGS:
            said, was, is_now = getattr(document, name), getattr(before, name, None), getattr(prompt, name)
            if said is None or said in (was, is_now):
                continue
            if was is not None and was != is_now:
                self.found.notes.append(f"{prompt.slug}: {name} changed on both sides; the console's stays.")
                continue
            found[name] = said
        return found

    def _note(
        self, entry: Pending, step: Step, before: Document | None, after: Document, *, number: int, is_new: bool
    ) -> None:
        author, message = read_author(step.commit)[0], read_message(step.commit, entry.slug)
        lines = diff(before, after, entry.path) if self.with_diff else []
        self.found.changes.append(Change(entry.slug, number, is_new, author, message, step.sha, lines))

    def _remember(self, entry: Pending, step: Step, origin: str, *, is_version: bool = True) -> None:
        if entry.prompt is None:
            return
        blob = step.after[1].decode() if step.after else ""
        version = entry.prompt.head_id if is_version else None
        GitCommit.objects.update_or_create(
            prompt=entry.prompt, sha=step.sha, defaults={"version_id": version, "blob": blob, "origin": origin}
        )
