"""Check that included partials exist, do not recurse, and contain what the team requires."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from prompts_app.errors import CircularInclude, MissingPartial, RequiredPartial, TooDeep, TooManyPartials
from prompts_app.models import Kind, Label, Prompt, PromptVersion, Visibility, Waiver
from prompts_app.queries.required import required_of
from prompts_app.shapes import default_label
from prompts_app.text.refs import Ref
from prompts_app.text.render import DEEPEST, MOST_PARTIALS


def refs_of(version: PromptVersion) -> list[Ref]:
    return [Ref(include["slug"], include["number"], include["label"]) for include in version.includes]


def as_json(refs: Iterable[Ref]) -> list[dict[str, str | int | None]]:
    return [ref._asdict() for ref in refs]


def _partial(ref: Ref, team_id: uuid.UUID) -> Prompt:
    found = (
        Prompt.objects.filter(Q(team_id=team_id) | Q(visibility=Visibility.ORGANISATION), deleted_at=None)
        .select_related("head")
        .filter(slug=ref.slug)
        .first()
    )
    if found is None:
        raise MissingPartial(str(ref))
    if found.kind != Kind.PARTIAL:
        raise MissingPartial(str(ref), f"it is a {found.kind} prompt, not a partial")
    return found


def _versions_meant(ref: Ref, partial: Prompt, environment: str) -> list[PromptVersion]:
    """Return the versions a ref means: the one it names, or without a name what is live in the environment.

    Without an environment, as when a text is saved, that is every version it could soon mean.
    """
    if ref.number is not None:
        found = list(PromptVersion.objects.filter(prompt=partial, number=ref.number))
        if not found:
            raise MissingPartial(str(ref), f"it has no version {ref.number}")
        return found
    labels = Label.objects.filter(prompt=partial).select_related("version")
    if ref.label is not None:
        found = [label.version for label in labels if label.name == ref.label]
        if not found:
            raise MissingPartial(str(ref), f"it has no label {ref.label!r}")
        return found
    live = [label.version for label in labels if label.name in {"production", "staging"}]
    if environment:
        by_name = {label.name: label.version for label in labels}
        meant = by_name.get(default_label(environment)) or by_name.get("production")
        if meant is None:
            raise MissingPartial(str(ref), "no version of it is published; give it the label production first")
        return [meant]
    return list({version.pk: version for version in (*live, *([partial.head] if partial.head else []))}.values())


@dataclass(slots=True)
class _Seen:
    """What one walk has read: each ref is looked up once, however many texts name it."""

    meant: dict[tuple[uuid.UUID, Ref], tuple[Prompt, list[PromptVersion]]] = field(default_factory=dict)
    walked: dict[uuid.UUID, int] = field(default_factory=dict)
    slugs: set[str] = field(default_factory=set)


def _walk(
    refs: Sequence[Ref],
    team_id: uuid.UUID,
    chain: tuple[str, ...],
    deepest: int,
    environment: str,
    seen: _Seen,
) -> set[str]:
    """Return the slugs of all partials below, refusing circles, what is missing, and what stands too deep."""
    below: set[str] = set()
    for ref in refs:
        further = (*chain, ref.slug)
        if ref.slug in chain:
            raise CircularInclude(further)
        if len(chain) > deepest:
            raise TooDeep(further, DEEPEST)
        if (team_id, ref) not in seen.meant:
            partial = _partial(ref, team_id)
            seen.meant[team_id, ref] = partial, _versions_meant(ref, partial, environment)
        partial, versions = seen.meant[team_id, ref]
        below.add(ref.slug)
        seen.slugs.add(ref.slug)
        if len(seen.slugs) > MOST_PARTIALS:
            raise TooManyPartials(MOST_PARTIALS)
        for version in versions:
            if seen.walked.get(version.pk, 0) < len(chain):
                seen.walked[version.pk] = len(chain)
                below |= _walk(refs_of(version), partial.team_id, further, deepest, environment, seen)
    return below


def _levels_above(slug: str) -> int:
    """Return how many partials already stand around this one, at most."""
    level, slugs = 0, [slug]
    while slugs and level <= DEEPEST:
        around = Prompt.objects.filter(includes__overlap=slugs, deleted_at=None, kind=Kind.PARTIAL)
        slugs = list(around.values_list("slug", flat=True))
        level += bool(slugs)
    return level


def check_includes(prompt: Prompt, refs: Sequence[Ref], environment: str = "") -> set[str]:
    """Return all partials a text reaches, or refuse the text by what is wrong with one of them.

    With an environment, every partial must be live there: what is published has to answer.
    """
    deepest = DEEPEST
    if prompt.kind == Kind.PARTIAL:
        deepest -= 1 + _levels_above(prompt.slug)  # it is one level itself wherever it stands
    return _walk(refs, prompt.team_id, (prompt.slug,), deepest, environment, _Seen())


def check_required(prompt: Prompt, reached: set[str]) -> None:
    """Refuse a text that leaves out what its team must include, unless a waiver lets it. Partials are exempt."""
    if prompt.kind == Kind.PARTIAL:
        return
    lacking = [partial for partial in required_of(prompt.team_id) if partial.slug not in reached]
    if lacking:
        waived = set(Waiver.objects.filter(prompt=prompt, partial__in=lacking).values_list("partial_id", flat=True))
        if slugs := [partial.slug for partial in lacking if partial.pk not in waived]:
            raise RequiredPartial(slugs)


def lock_around(prompt: Prompt, refs: Iterable[Ref]) -> None:
    """Take the rows of a prompt and of the partials it names, in one order, until commit.

    Two that begin to include each other at the same moment would both see no circle, and a partial could be deleted
    while a text with it is published; so the second waits, and sees what the first did.
    """
    slugs = [ref.slug for ref in refs]
    _lock(Prompt.objects.filter(Q(pk=prompt.pk) | Q(slug__in=slugs, deleted_at=None)))


def lock_library() -> None:
    """Take the rows of all prompts until commit: for whoever changes many of them in one transaction.

    Taken one by one they would meet in a deadlock with people who publish meanwhile: from its first label or setting
    on, an import holds the epoch, for which each of them waits with a prompt's row in hand.
    """
    _lock(Prompt.objects.filter(deleted_at=None))


def _lock(prompts: QuerySet[Prompt]) -> None:
    list(prompts.select_for_update(no_key=True).order_by("pk").values_list("pk"))
