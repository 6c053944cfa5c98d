"""What every write of the library leaves behind: its line in the log, and the mark by which calls notice it."""

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


def note(
    action: Action, *, actor: Actor, prompt: Prompt, detail: dict[str, Any], reason: str = "", team: Team | None = None
) -> None:
    """Write the line; if calls must notice the change, mark the prompt with the epoch that announces it.

    The epoch's row is ours until commit, so marks are committed in their order and a reader that knows an epoch has
    seen every mark up to it.
    """
    record(action, actor=actor, target=prompt, team=team or prompt.team, detail=detail, reason=reason)
    if action.moves_epoch:
        Prompt.objects.filter(pk=prompt.pk).update(revision=sql.epoch())
    listeners.tell(action, prompt)


def person_of(actor: Actor) -> User | None:
    """Return the person who acts: themselves, or whoever the key answers to."""
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
    """Return the prompt as it is now, its row ours until commit: writers of one prompt take their turn.

    UnknownPrompt where it was deleted since it was looked up.
    """
    found = hold(prompt, "team", "head")
    if found.deleted_at is not None:
        raise UnknownPrompt(found.slug)
    return found


def refresh(prompt: Prompt) -> None:
    """Keep what is derived from versions in step: the words to search, and the slugs included."""
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
