"""Which steps of a repository's files this console has not seen, and whether they may simply follow.

A commit may follow when the file, as it was before it, says what the newest version says. Then nothing is lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dulwich.objects import ObjectID
from dulwich.repo import BaseRepo

from prompts_app.git.document import LARGEST, Document, from_markdown
from prompts_app.git.history import Step, read_history
from prompts_app.git.models import GitCommit, GitSync
from prompts_app.git.problems import Unreadable
from prompts_app.git.report import Conflict
from prompts_app.git.signing import read_author
from prompts_app.git.states import document_of, same
from prompts_app.git.trees import Entry, Trees, check_names, slug_of
from prompts_app.models import Prompt

_KNOWN_TIPS = 1000
# Less than a worker's claim on the sync holds.
MINUTES = 10
# Letters of files that are kept read. Each version of a file may have two million.
_MOST_KEPT = 32 * 1024 * 1024


class Reader:
    """Reads files of one repository as documents, each once while there is room; keeps what was wrong with them."""

    def __init__(self, repo: BaseRepo, *, minutes: float | None = None) -> None:
        self.trees = Trees(repo.object_store, minutes=minutes)
        self._read: dict[tuple[str, Entry], Document | Unreadable] = {}
        self._kept = 0

    def document(self, entry: Entry | None, path: str) -> Document | None:
        """Return what a file says, None when there is none; raises Unreadable."""
        if entry is None:
            return None
        found = self._read.get((path, entry))
        if found is None:
            self.trees.check_time()
            size = 0
            try:
                text = self.trees.text(entry, path, LARGEST)
                size = len(text)
                found = from_markdown(text, path=path)
            except Unreadable as error:
                found = error
            self._kept += size
            if self._kept > _MOST_KEPT:
                self._read.clear()
                self._kept = size
            self._read[path, entry] = found
        if isinstance(found, Unreadable):
            raise found
        return found

    def document_or_none(self, entry: Entry | None, path: str) -> Document | None:
        try:
            return self.document(entry, path)
        except Unreadable:
            return None


@dataclass(slots=True)
class Pending:
    """The unseen steps of one file. `seen` are those to remember without doing anything."""

    path: str
    slug: str
    prompt: Prompt | None
    steps: list[Step]
    seen: list[Step] = field(default_factory=list)
    conflict: Conflict | None = None


def known_tips() -> set[ObjectID]:
    """Return commits up to which, themselves included, everything is known."""
    tips = GitSync.objects.exclude(tip="").values_list("tip", flat=True)[:_KNOWN_TIPS]
    return {ObjectID(tip.encode()) for tip in tips}


def prompt_files(repo: BaseRepo, tip: ObjectID, reader: Reader) -> dict[str, list[Step]]:
    """Return the steps of every prompt's file, by path; Unreadable names what the repository must not hold.

    Most of an import's time is spent here, so nothing of the console is held meanwhile.
    """
    check_names(reader.trees, reader.trees.commit(tip).tree)
    found = read_history(repo, tip, known_tips(), reader.trees)
    return {path: steps for path, steps in found.items() if slug_of(path)}


def find_pending(history: Mapping[str, list[Step]], reader: Reader) -> list[Pending]:
    """Return every file with steps this console has not seen."""
    slugs = [slug for path in history if (slug := slug_of(path))]
    rows: set[tuple[str, str]] = set()
    prompts: dict[str, Prompt] = {}
    for some in _chunks(slugs):
        rows |= set(GitCommit.objects.filter(prompt__slug__in=some).values_list("prompt__slug", "sha"))
        living = Prompt.objects.filter(slug__in=some, deleted_at=None).select_related("team", "head")
        prompts |= {prompt.slug: prompt for prompt in living}
    found = []
    for path, steps in history.items():
        slug = slug_of(path) or ""
        last = max((at for at, step in enumerate(steps) if (slug, step.sha) in rows), default=-1)
        if unseen := steps[last + 1 :]:
            found.append(_sorted_out(reader, Pending(path, slug, prompts.get(slug), unseen)))
    return found


def _chunks(slugs: list[str], size: int = 1000) -> Iterable[list[str]]:
    return (slugs[at : at + size] for at in range(0, len(slugs), size))


def _sorted_out(reader: Reader, pending: Pending) -> Pending:
    """Decide for one file: what follows, what is known already, or what stands against it."""
    prompt, steps = pending.prompt, pending.steps
    if steps[-1].after is None:
        pending.steps, pending.seen = ([], steps) if prompt is None else (steps, [])
        if prompt is not None:
            pending.conflict = _conflict("removed", pending)
        return pending
    if prompt is None:
        begin = max((at + 1 for at, step in enumerate(steps) if step.after is None), default=0)
        pending.seen, pending.steps = steps[:begin], steps[begin:]
        if pending.steps[0].before is not None:
            pending.conflict = _conflict("deleted", pending)
        return pending
    if prompt.head is None:
        raise AssertionError("A prompt has a head from its first moment.")
    head = document_of(prompt, prompt.head)
    if same(reader.document_or_none(steps[0].before, pending.path), head):
        return pending
    for at in range(len(steps) - 1, -1, -1):
        if same(reader.document_or_none(steps[at].after, pending.path), head):
            pending.seen, pending.steps = steps[: at + 1], steps[at + 1 :]
            return pending
    pending.conflict = _conflict("edited" if steps[0].before else "unrelated", pending)
    return pending


_SENTENCES = {
    "edited": "This commit was made on another text than the console's newest version, {head}.",
    "unrelated": "The console has a prompt of this name with another text, which this file does not begin from.",
    "deleted": "The prompt was deleted in the console, and the file was changed in git since.",
    "removed": "The file was removed in git; the console deletes a prompt only by hand, when nothing uses it.",
}


def _conflict(kind: str, pending: Pending) -> Conflict:
    step = pending.steps[-1]
    head = pending.prompt.head.number if pending.prompt and pending.prompt.head else 0
    return Conflict(kind, pending.slug, step.sha, read_author(step.commit)[0], _SENTENCES[kind].format(head=head), head)
