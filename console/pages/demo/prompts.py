"""Create the demo's prompts through the services, then date them back."""

import datetime as dt
import json
from typing import Any

from console.core.clock import now
from console.pages.demo.library import PROMPTS, REMARKS, REVIEW, DemoPrompt
from console.teams.actors import Actor
from console.teams.models import Team, User
from prompts_app.models import Label, LabelMove, Prompt, PromptVersion, Review, ReviewComment, Visibility
from prompts_app.services import labels, prompts, reviews, versions

# What took part in an alias's calls from a time on, as the log writes it.
TookPart = tuple[dt.datetime, str]


def slugs_of_strangers() -> list[str]:
    """Return the demo's names that people have given to prompts of their own."""
    taken = Prompt.objects.filter(slug__in=[one.slug for one in PROMPTS], deleted_at=None, team__is_demo=False)
    return list(taken.values_list("slug", flat=True))


def make_prompts(teams: dict[str, Team], people: dict[str, User]) -> None:
    """Make what is missing, and once all is there the rules and the open review."""
    have = set(Prompt.objects.filter(team__in=teams.values()).values_list("slug", flat=True))
    missing = [wanted for wanted in PROMPTS if wanted.slug not in have]
    for wanted in missing:
        _make(wanted, teams[wanted.team], people)
    if not missing:
        return
    owner = _actor(people["ada.nwosu@demo.example"])
    labels.set_rule(actor=owner, team=teams["support"], label="production", needs_review=True)
    guide = Prompt.objects.get(slug="house/style-guide")
    mei = _actor(people["mei.tanaka@demo.example"])
    covers = [teams["marketing"], teams["support"]]
    prompts.change_prompt(actor=mei, prompt=guide, is_required=True, covers=covers)
    _ask(people)


def _actor(user: User) -> Actor:
    return Actor(kind="user", id=user.pk, name=user.name)


def _make(wanted: DemoPrompt, team: Team, people: dict[str, User]) -> None:
    moment = now()
    prompt: Prompt | None = None
    for version in wanted.versions:
        person = people[version.by]
        fields: dict[str, Any] = {
            "actor": _actor(person),
            "content": _content(version.text),
            "variables": version.variables,
            "parameters": version.parameters,
            "message": version.message,
            "provenance": versions.Provenance(person.name, person.email, moment - dt.timedelta(days=version.days_ago)),
        }
        if prompt is None:
            prompt = prompts.create_prompt(
                **fields,
                team=team,
                slug=wanted.slug,
                kind=wanted.kind,
                visibility=Visibility.ORGANISATION if wanted.is_shared else Visibility.TEAM,
                description=f"Demo. {wanted.about}",
                tags=wanted.tags,
            )
        else:
            prompt.refresh_from_db()
            versions.save_version(**fields, prompt=prompt, parent=prompt.head)
    assert prompt is not None
    _publish(wanted, prompt, people)
    first = moment - dt.timedelta(days=wanted.versions[0].days_ago)
    last = moment - dt.timedelta(days=wanted.versions[-1].days_ago)
    Prompt.objects.filter(pk=prompt.pk).update(created_at=first, changed_at=last)


def _content(text: str | tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    if isinstance(text, str):
        return [{"role": "", "text": text}]
    return [{"role": role, "text": said} for role, said in text]


def _publish(wanted: DemoPrompt, prompt: Prompt, people: dict[str, User]) -> None:
    numbered = {version.number: version for version in PromptVersion.objects.filter(prompt=prompt)}
    for one in wanted.published:
        seen = Label.objects.filter(prompt=prompt, name=one.label).values_list("revision", flat=True).first() or 0
        fields: dict[str, Any] = {"actor": _actor(people[one.by]), "prompt": prompt, "label": one.label}
        if one.is_back:
            moved = labels.roll_back(**fields, reason=one.reason, seen_revision=seen)
        else:
            moved = labels.publish(**fields, version=numbered[one.number], reason=one.reason, seen_revision=seen)
        at = now() - dt.timedelta(days=one.days_ago)
        LabelMove.objects.filter(prompt=prompt, label=one.label, moved_at=moved.moved_at).update(moved_at=at)
        Label.objects.filter(pk=moved.pk).update(moved_at=at)


def _ask(people: dict[str, User]) -> None:
    slug, number, by, reason = REVIEW
    prompt = Prompt.objects.get(slug=slug)
    live = Label.objects.get(prompt=prompt, name="production")
    review = reviews.request_review(
        actor=_actor(people[by]),
        prompt=prompt,
        version=PromptVersion.objects.get(prompt=prompt, number=number),
        label="production",
        reason=reason,
        seen_revision=live.revision,
    )
    Review.objects.filter(pk=review.pk).update(requested_at=now() - dt.timedelta(hours=19))
    for place, (line, who, text) in enumerate(REMARKS):
        remark = reviews.comment(actor=_actor(people[who]), review=review, text=text, message_index=0, line=line)
        ReviewComment.objects.filter(pk=remark.pk).update(created_at=now() - dt.timedelta(hours=17 - 2 * place))


def took_part(moment: dt.datetime) -> dict[tuple[str, str], list[TookPart]]:
    """Return what was published for each alias and environment, the oldest first, as the log names it."""
    guide = _publications("house/style-guide", "production", moment)
    found: dict[tuple[str, str], list[TookPart]] = {}
    for wanted in PROMPTS:
        if not wanted.alias:
            continue
        has_guide = "house/style-guide" in json.dumps([_content(version.text) for version in wanted.versions])
        for environment, label in (("production", "production"), ("sandbox", "staging")):
            moves = _publications(wanted.slug, label, moment)
            times = sorted({at for at, _ in moves} | ({at for at, _ in guide} if has_guide else set()))
            found[wanted.alias, environment] = [
                (at, _refs(wanted.slug, _at(moves, at), _at(guide, at) if has_guide else None))
                for at in times
                if _at(moves, at) is not None
            ]
    return found


def _publications(slug: str, label: str, moment: dt.datetime) -> list[tuple[dt.datetime, int]]:
    published = next(one for one in PROMPTS if one.slug == slug).published
    return sorted((moment - dt.timedelta(days=one.days_ago), one.number) for one in published if one.label == label)


def _at(moves: list[tuple[dt.datetime, int]], moment: dt.datetime) -> int | None:
    past = [number for at, number in moves if at <= moment]
    return past[-1] if past else None


def _refs(slug: str, number: int | None, guide: int | None) -> str:
    parts: list[dict[str, Any]] = [{"slug": slug, "number": number}]
    if guide is not None:
        parts.append({"slug": "house/style-guide", "number": guide})
    return json.dumps(parts, separators=(",", ":"))
