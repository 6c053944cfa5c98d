"""What services of the library share: locking, audit records, and the revision that makes calls notice a change."""

from typing import Any

from django.contrib.postgres.search import SearchVector
from django.db.models import Value

from console.audit import sql
from console.audit.actions import Action
from console.audit.services import record
from console.core.clock import now
from console.core.errors import BadInput
from console.core.races import hold
from console.teams.actors import Actor
from console.teams.models import ApiKey, Team, User
from prompts_app import listeners
from prompts_app.errors import UnknownPrompt
from prompts_app.models import Label, Prompt, PromptVersion
from prompts_app.text.plain import check_plain

LONGEST_REASON = 500


def record_change(
    action: Action, *, actor: Actor, prompt: Prompt, detail: dict[str, Any], reason: str = "", team: Team | None = None
) -> None:
    """Record a change. If calls must notice it, set the prompt's revision to the epoch that announces it.

    The epoch's row is locked until commit, so revisions are committed in order: whoever has read an epoch has seen
    every revision up to it.
    """
    record(action, actor=actor, target=prompt, team=team or prompt.team, detail=detail, reason=reason)
    if action.moves_epoch:
        Prompt.objects.filter(pk=prompt.pk).update(revision=sql.epoch())
    listeners.notify(action, prompt)


def person_of(actor: Actor) -> User | None:
    """Return the person who acts: the user, or the owner of the key."""
    if actor.kind == "user" and actor.id:
        return User.objects.filter(pk=actor.id).first()
    if actor.kind == "key" and actor.id:
        key = ApiKey.objects.select_related("owner").filter(pk=actor.id).first()
        return key.owner if key else None
    return None


def check_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise BadInput("Say why: the next person who wonders will read it here.", param="reason")
    if len(reason) > LONGEST_REASON:
        raise BadInput(f"The reason has {len(reason)} characters; {LONGEST_REASON} is the most.", param="reason")
    check_plain(reason, "The reason", param="reason")
    return reason


def locked(prompt: Prompt) -> Prompt:
    """Return the prompt with its row locked until commit, so that changes of one prompt take turns.

    Raise UnknownPrompt if it has been deleted meanwhile.
    """
    found = hold(prompt, "team", "head")
    if found.deleted_at is not None:
        raise UnknownPrompt(found.slug)
    return found


def refresh(prompt: Prompt) -> None:
    """Update what is derived from versions: the search vector, and the slugs of included prompts."""
    head = prompt.head
    live = PromptVersion.objects.filter(pk__in=Label.objects.filter(prompt=prompt).values("version"))
    includes = {include["slug"] for version in (*live, *([head] if head else [])) for include in version.includes}
    names = " ".join([prompt.slug, *prompt.slug.replace("/", " ").replace("-", " ").replace("_", " ").split()])
    about = " ".join([prompt.description, *prompt.tags])
    text = "\n".join(message["text"] for message in head.content) if head else ""
    prompt.includes, prompt.changed_at = sorted(includes), now()
    Prompt.objects.filter(pk=prompt.pk).update(
        includes=prompt.includes,
        changed_at=prompt.changed_at,
        search=SearchVector(Value(names), weight="A", config="simple")
        + SearchVector(Value(f"{about}\n{text}"), weight="B", config="simple"),
    )
