"""Export versions as commits: one each, in the order they were saved, on top of what is there.

The same rows give the same commits, to the byte: nothing here depends on when or where it runs.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from dulwich.objects import ObjectID
from dulwich.repo import BaseRepo

from prompts_app.git.commits import Appender
from prompts_app.git.document import to_markdown
from prompts_app.git.models import GitCommit
from prompts_app.git.pending import Reader
from prompts_app.git.readme import FILES
from prompts_app.git.signing import HOUSE, message_of, person
from prompts_app.git.states import document_of, is_written
from prompts_app.git.trees import path_of
from prompts_app.models import Prompt, PromptVersion

_AT_ONCE = 500
Origin = GitCommit.Origin


@dataclass(slots=True)
class WrittenVersions:
    """What an export appended. `rows` are to be kept once the ref has moved."""

    tip: ObjectID | None
    count: int = 0
    rows: list[GitCommit] = field(default_factory=list)


class _Event(NamedTuple):
    """Something to commit; sorts by when it happened. A removal has no version."""

    at: float
    slug: str
    number: int
    prompt: Prompt
    version_id: object


def write_commits(repo: BaseRepo, tip: ObjectID | None, *, leave: Collection[str] = ()) -> WrittenVersions:
    """Append what the history up to `tip` lacks, leaving the slugs in `leave` alone. Moves no ref."""
    doing = _Export(repo, tip)
    doing.run(leave)
    return WrittenVersions(doing.appender.tip, doing.appender.count, doing.rows)


class _Export:
    def __init__(self, repo: BaseRepo, tip: ObjectID | None) -> None:
        self.repo, self.tip = repo, tip
        self.reader = Reader(repo)
        self.appender = Appender(repo, tip)
        self.tree = self.reader.trees.commit(tip).tree if tip else None
        self.rows: list[GitCommit] = []
        self._reachable: set[str] | None = None

    def run(self, leave: Collection[str]) -> None:
        living = list(Prompt.objects.filter(deleted_at=None).select_related("team", "head").order_by("slug"))
        taken = {prompt.slug for prompt in living}  # a file that is there is that prompt's
        gone = list(Prompt.objects.exclude(deleted_at=None).filter(git_commits__isnull=False).distinct())
        gone = [prompt for prompt in gone if prompt.slug not in taken]
        written = self._written([prompt for prompt in (*living, *gone) if prompt.slug not in leave])
        living = [prompt for prompt in living if prompt.slug not in leave]
        events = sorted([*self._saves(living, written), *self._removals(gone, written)], key=lambda e: e[:3])
        if self.tip is None:
            first = int(events[0].at) if events else 0
            self.appender.commit(dict(FILES), author=HOUSE, at=first, message=b"Begin the library of prompts\n")
        for at in range(0, len(events), _AT_ONCE):
            self._write(events[at : at + _AT_ONCE])
        # Files written just now say everything already.
        fresh = {row.prompt_id for row in self.rows}
        for prompt in living:
            if prompt.pk not in fresh:
                self._bring_in_line(prompt)
        self.appender.flush()

    def _written(self, prompts: list[Prompt]) -> dict[object, int]:
        """Return the newest version of each prompt that this history holds; -1 where a removal was the last word."""
        rows: dict[object, list[tuple[int | None, str, str, str]]] = {}
        found = GitCommit.objects.filter(prompt__in=prompts) if len(prompts) < 100 else GitCommit.objects.all()
        fields = ("prompt_id", "version__number", "sha", "blob", "origin")
        for prompt_id, *row in found.order_by("id").values_list(*fields):
            rows.setdefault(prompt_id, []).append(tuple(row))
        return {prompt.pk: self._newest(prompt, rows.get(prompt.pk, [])) for prompt in prompts}

    def _newest(self, prompt: Prompt, rows: list[tuple[int | None, str, str, str]]) -> int:
        here = [row for row in rows if ObjectID(row[1].encode()) in self.repo.object_store]
        entry = self.reader.trees.at(self.tree, path_of(prompt.slug))
        blob = entry[1].decode() if entry else ""
        if not here:
            return 0
        # A file as one of these commits left it vouches for them; otherwise they may lie on a branch of their own.
        if not any(row[2] == blob for row in here):
            here = [row for row in here if row[1] in self._reachable_shas()]
        if here and prompt.deleted_at is not None and here[-1][2] == "" and here[-1][3] == Origin.EXPORT:
            return -1
        return max((row[0] or 0 for row in here if row[3] != Origin.KEPT), default=0)

    def _reachable_shas(self) -> set[str]:
        if self._reachable is None:
            walk = iter(self.repo.get_walker(include=[self.tip])) if self.tip else iter(())
            self._reachable = {entry.commit.id.decode() for entry in walk}
        return self._reachable

    def _saves(self, living: list[Prompt], written: dict[object, int]) -> Iterator[_Event]:
        prompts = {prompt.pk: prompt for prompt in living}
        lacking = [p.pk for p in living if p.head and p.head.number > written[p.pk]]
        latest: dict[object, float] = {}
        for at in range(0, len(lacking), _AT_ONCE):
            versions = PromptVersion.objects.filter(prompt__in=lacking[at : at + _AT_ONCE]).order_by("prompt", "number")
            for pk, prompt_id, number, saved_at in versions.values_list("pk", "prompt_id", "number", "created_at"):
                # A version read from git may be older than the one before it; numbers go first.
                latest[prompt_id] = max(latest.get(prompt_id, 0.0), saved_at.timestamp())
                if number > written[prompt_id]:
                    yield _Event(latest[prompt_id], prompts[prompt_id].slug, number, prompts[prompt_id], pk)

    def _removals(self, gone: list[Prompt], written: dict[object, int]) -> Iterator[_Event]:
        for prompt in gone:
            is_there = self.reader.trees.at(self.tree, path_of(prompt.slug)) is not None
            if written.get(prompt.pk, 0) > 0 and is_there and prompt.deleted_at:
                yield _Event(prompt.deleted_at.timestamp(), prompt.slug, 0, prompt, None)

    def _write(self, events: list[_Event]) -> None:
        bodies = PromptVersion.objects.in_bulk([event.version_id for event in events if event.version_id])
        for event in events:
            path = path_of(event.slug)
            if event.version_id is None:
                message = f"Remove {event.slug}\n".encode()
                sha, _ = self.appender.commit({path: None}, author=HOUSE, at=int(event.at), message=message)
                self._keep(event.prompt, None, sha, "")
                continue
            version = bodies[event.version_id]
            sha, blob = self.appender.commit(
                {path: to_markdown(document_of(event.prompt, version))},
                author=person(version.author_name, version.author_email),
                at=int(version.created_at.timestamp()),
                message=message_of(event.slug, version),
            )
            self._keep(event.prompt, version, sha, blob)

    def _bring_in_line(self, prompt: Prompt) -> None:
        """Commit what is said of a prompt besides its versions, and a text that was kept against git's."""
        if prompt.head is None:
            return
        path, state = path_of(prompt.slug), document_of(prompt, prompt.head)
        entry = self.reader.trees.at(self.tree, path)
        if is_written(self.reader.document_or_none(entry, path), state):
            return
        message = f"Bring {prompt.slug} in line with the console\n".encode()
        sha, blob = self.appender.commit(
            {path: to_markdown(state)}, author=HOUSE, at=int(prompt.changed_at.timestamp()), message=message
        )
        self._keep(prompt, prompt.head, sha, blob)

    def _keep(self, prompt: Prompt, version: PromptVersion | None, sha: ObjectID, blob: str) -> None:
        self.rows.append(GitCommit(prompt=prompt, version=version, sha=sha.decode(), blob=blob, origin=Origin.EXPORT))
