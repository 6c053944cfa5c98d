"""Labels as tags, `support/live-chat-answer@production`: a clone brings them, and no slug can hold an @."""

import re
from collections.abc import Iterable, Mapping

from dulwich.objects import ObjectID
from dulwich.repo import BaseRepo

from prompts_app.git.models import GitCommit
from prompts_app.models import Label, Prompt
from prompts_app.text.refs import LABEL, SLUG

_TAG = re.compile(rf"refs/tags/(?P<slug>{SLUG.pattern})@(?P<label>{LABEL.pattern})\Z")


def tag_of(slug: str, label: str) -> bytes:
    return f"refs/tags/{slug}@{label}".encode()


def wanted_tags(repo: BaseRepo, fresh: Iterable[GitCommit]) -> dict[bytes, ObjectID]:
    """Return where each label's tag must point: the newest commit of its version in this repository.

    `fresh` are rows of commits written just now, which are not in the database yet.
    """
    found: dict[bytes, ObjectID] = {}
    labels = Label.objects.filter(prompt__deleted_at=None).values_list("prompt__slug", "name", "version_id")
    rows = GitCommit.objects.filter(version__labels__isnull=False).order_by("id").values_list("version_id", "sha")
    commits: dict[object, ObjectID] = {}
    for version_id, text in rows.distinct():
        sha = ObjectID(text.encode())
        if sha in repo.object_store:
            commits[version_id] = sha
    commits |= {row.version_id: ObjectID(row.sha.encode()) for row in fresh if row.version_id}
    for slug, name, version_id in labels:
        if version_id in commits:
            found[tag_of(slug, name)] = commits[version_id]
    return found


def tag_moves(wanted: Mapping[bytes, ObjectID], there: Mapping[bytes, ObjectID]) -> dict[bytes, ObjectID | None]:
    """Return which tags to set, and which to take away (None). Tags that are no label's are nobody's business here."""
    moves: dict[bytes, ObjectID | None] = {name: sha for name, sha in wanted.items() if there.get(name) != sha}
    ours = {name: found["slug"] for name in there if (found := _TAG.match(name.decode("utf-8", "replace")))}
    known = set(Prompt.objects.filter(slug__in=set(ours.values())).values_list("slug", flat=True))
    return moves | {name: None for name, slug in ours.items() if slug in known and name not in wanted}
