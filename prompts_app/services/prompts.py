"""Create, change and delete prompts. A slug never changes, because callers store it."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit.services import changes
from console.core.clock import now
from console.core.errors import BadInput, Conflict, check_revision
from console.core.races import insert
from console.core.where_used import Use
from console.teams.callers import Actor
from console.teams.models import Team
from prompts_app import where_used
from prompts_app.errors import StillUsed
from prompts_app.models import Kind, Label, Prompt, Visibility
from prompts_app.services.common import locked, record_change, refresh
from prompts_app.services.versions import HERE, Provenance, add_version, read
from prompts_app.text.plain import check_plain
from prompts_app.text.refs import check_slug

_MOST_TAGS, _LONGEST_TAG, _LONGEST_DESCRIPTION = 20, 40, 300


def check_tags(tags: Sequence[str]) -> list[str]:
    """Return tags in one spelling: lower case, no blanks around, each once."""
    kept = list(dict.fromkeys(tag.strip().lower() for tag in tags if tag.strip()))
    if len(kept) > _MOST_TAGS or any(len(tag) > _LONGEST_TAG for tag in kept):
        raise BadInput(f"A prompt has at most {_MOST_TAGS} tags of up to {_LONGEST_TAG} characters.", param="tags")
    if unseen := next((tag for tag in kept if not tag.isprintable()), None):
        raise BadInput(f"The tag {unseen!r} holds characters that cannot be seen.", param="tags")
    return kept


def _check_description(description: str) -> str:
    description = description.strip()
    if len(description) > _LONGEST_DESCRIPTION:
        raise BadInput(
            f"The description has {len(description)} characters; {_LONGEST_DESCRIPTION} is the most.",
            param="description",
        )
    check_plain(description, "The description", param="description")
    return description


def _check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise BadInput(f"{name} must be one of {', '.join(choices)}.", param=name)
    return value


def _logged(prompt: Prompt) -> dict[str, Any]:
    return {
        "visibility": prompt.visibility,
        "description": prompt.description,
        "tags": prompt.tags,
        "is_required": prompt.is_required,
        "covers": sorted(prompt.covers.values_list("slug", flat=True)),
    }


@transaction.atomic
def create_prompt(
    *,
    actor: Actor,
    team: Team,
    slug: str,
    kind: str = Kind.TEXT,
    visibility: str = Visibility.TEAM,
    description: str = "",
    tags: Sequence[str] = (),
    content: Any,
    variables: Sequence[Any] = (),
    parameters: dict[str, Any] | None = None,
    message: str = "",
    provenance: Provenance = HERE,
) -> Prompt:
    """Make a prompt with its first version. It answers nobody until a label points at one."""
    prompt = Prompt(
        team=team,
        slug=check_slug(slug),
        kind=_check_choice("kind", kind, Kind.values),
        visibility=_check_choice("visibility", visibility, Visibility.values),
        description=_check_description(description),
        tags=check_tags(tags),
    )
    # Names are the installation's, not the team's; that this one is taken says nothing about the other prompt.
    insert(prompt, Conflict(f"The name {slug!r} is taken; choose another.", param="slug"))
    add_version(
        actor=actor,
        prompt=prompt,
        content=read(content, prompt.kind),
        variables=variables,
        parameters=parameters,
        message=message,
        provenance=provenance,
    )
    record_change(
        actions.PROMPT_CREATED, actor=actor, prompt=prompt, detail={"after": _logged(prompt) | {"kind": prompt.kind}}
    )
    return prompt


@transaction.atomic
def change_prompt(
    *,
    actor: Actor,
    prompt: Prompt,
    description: str | None = None,
    tags: Sequence[str] | None = None,
    visibility: str | None = None,
    is_required: bool | None = None,
    covers: Sequence[Team] | None = None,
    seen_revision: int | None = None,
) -> Prompt:
    """Change what is said about a prompt, who sees it, and whether others must include it.

    With `seen_revision`, the prompt's `settings_revision`, Overtaken when somebody changed any of it since.
    """
    prompt = locked(prompt)
    check_revision(f"the settings of {prompt}", prompt.settings_revision, seen_revision)
    before = _logged(prompt)
    if description is not None:
        prompt.description = _check_description(description)
    if tags is not None:
        prompt.tags = check_tags(tags)
    if visibility is not None:
        prompt.visibility = _check_choice("visibility", visibility, Visibility.values)
    if is_required is not None:
        prompt.is_required = is_required
    if covers is not None:
        prompt.covers.set(covers)
    if prompt.is_required and prompt.kind != Kind.PARTIAL:
        raise BadInput("Only a partial can be required.", param="is_required")
    _check_reach(prompt)
    prompt.save(update_fields=["description", "tags", "visibility", "is_required"])
    after = _logged(prompt)
    if before != after:
        prompt.settings_revision += 1
        prompt.save(update_fields=["settings_revision"])
        refresh(prompt)
        record_change(actions.PROMPT_CHANGED, actor=actor, prompt=prompt, detail=changes(before, after))
    return prompt


def _check_reach(prompt: Prompt) -> None:
    """Refuse to hide a prompt from those who include it or must."""
    if prompt.visibility == Visibility.ORGANISATION:
        return
    teams = set(prompt.covers.values_list("pk", flat=True))
    if prompt.is_required and teams != {prompt.team_id}:
        raise BadInput(
            "A partial required of other teams must be visible to the organisation, or they could not include it.",
            param="visibility",
        )
    holders = [use for use in where_used.including_prompts(prompt) if use.holds]
    others = [use for use in holders if use.team_id != prompt.team_id]
    if others:
        raise StillUsed(f"{len(others)} prompts of other teams include {prompt.slug}.", param="visibility")


def _names(uses: list[Use], prompt: Prompt) -> str:
    """Name what uses a prompt; what belongs to other teams is only counted, for its name is their business."""
    near = [use for use in uses if use.team_id in {None, prompt.team_id}]
    names = ", ".join(f"{use.kind} {use.name}" for use in near[:5])
    more = [f"{len(near) - 5} more"] if len(near) > 5 else []
    if len(uses) > len(near):
        more.append(f"{len(uses) - len(near)} of other teams")
    return " and ".join([names, *more] if names else more)


@transaction.atomic
def delete_prompt(*, actor: Actor, prompt: Prompt) -> None:
    """Delete a prompt nothing uses. Its versions stay for the log; calls that still name it are refused."""
    prompt = locked(prompt)
    if prompt.is_required:
        raise StillUsed(f"{prompt.slug} is required of teams. Whoever may require it ends that first, in its settings.")
    holders = [use for use in where_used.uses_of(prompt) if use.holds]
    if holders:
        called = any(use.kind == "calls" for use in holders)
        hint = " Take its labels off first to see who misses it." if called else ""
        raise StillUsed(f"{prompt.slug} is in use: {_names(holders, prompt)}.{hint}")
    labels = dict(Label.objects.filter(prompt=prompt).values_list("name", "version__number"))
    prompt.deleted_at = now()
    prompt.save(update_fields=["deleted_at"])
    detail = {"before": _logged(prompt) | {"labels": labels}}
    Label.objects.filter(prompt=prompt).delete()
    record_change(actions.PROMPT_DELETED, actor=actor, prompt=prompt, detail=detail)
