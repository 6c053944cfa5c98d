"""Move labels: publish, roll back, remove; and the rules of a team for that."""

from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit.actions import Action
from console.audit.services import changes, record
from console.core.clock import now
from console.core.errors import BadInput
from console.teams.callers import Actor
from console.teams.models import Team
from console.teams.rights import must_set_up_two_factor, rights_in_team
from prompts_app import gates
from prompts_app.errors import ReviewNeeded, StaleLabel, TestsNeeded
from prompts_app.models import Label, LabelMove, LabelRule, Prompt, PromptVersion, Review
from prompts_app.services.common import check_reason, locked, person_of, record_change, refresh
from prompts_app.services.includes import check_includes, lock_around, refs_of
from prompts_app.text.refs import check_label

_MOST_LABELS = 50


def _stale(prompt: Prompt, label: str) -> StaleLabel:
    """Return the refusal of a form that saw the label elsewhere, saying who moved it where since."""
    last = LabelMove.objects.filter(prompt=prompt, label=label).select_related("to_version").first()
    if last is None:
        return StaleLabel(f"{prompt.slug} has no label {label!r} yet; look again before you decide.")
    where = f"moved {label} to version {last.to_version.number}" if last.to_version else f"took {label} off"
    return StaleLabel(
        f"{last.moved_by_name} {where} at {last.moved_at:%H:%M:%S} UTC ({last.reason}). Look again before you decide."
    )


def rule_for(prompt: Prompt, label: str) -> LabelRule | None:
    """Return what the owning team asks before this label moves."""
    return LabelRule.objects.filter(team_id=prompt.team_id, label=label).first()


def why_unbacked(review: Review) -> str:
    """Return why an approval does not count; empty if it does. Needs `prompt`.

    The move it lets through may be made much later, so it counts as long as its giver's word does: while they may
    approve in the team and have the second factor without which they may do nothing.
    """
    person, who = review.decided_by, f"{review.decided_by_name}, who approved version {review.version.number},"
    if person is None or "approve" not in rights_in_team(person, review.prompt.team_id):
        return f"{who} may not approve in {review.prompt.team} any more"
    return f"{who} lacks the second factor that a team of theirs requires" if must_set_up_two_factor(person) else ""


def approval_for(prompt: Prompt, label: str, version: PromptVersion) -> Review | None:
    """Return the approval that lets this version have this label now."""
    approved = _approved(prompt, label, version)
    return approved if approved is not None and not why_unbacked(approved) else None


def _approved(prompt: Prompt, label: str, version: PromptVersion) -> Review | None:
    """Return the approval that was given for this version and label as they are now.

    It was given for one move: once the label has moved, what was compared is no longer what is live.
    """
    revision = Label.objects.filter(prompt=prompt, name=label).values_list("revision", flat=True).first() or 0
    found = Review.objects.filter(
        prompt=prompt, label=label, version=version, status=Review.Status.APPROVED, seen_revision=revision
    )
    approved = found.select_related("prompt", "version", "decided_by").first()
    if approved is not None and not revision:  # no label yet, or one that was there meanwhile and was taken off
        moves = LabelMove.objects.filter(prompt=prompt, label=label, moved_at__gte=approved.requested_at)
        return None if moves.exists() else approved
    return approved


def _unapproved(prompt: Prompt, label: str, version: PromptVersion) -> str:
    """Return what approval is missing for this version to have this label; empty when none is."""
    approved = _approved(prompt, label, version)
    if approved is None:
        return f"version {version.number} needs the approval of somebody else."
    why = why_unbacked(approved)
    return f"{why}." if why else ""


def _check_rule(prompt: Prompt, label: str, version: PromptVersion) -> None:
    rule = rule_for(prompt, label)
    if rule is None:
        return
    if rule.needs_review and (why := _unapproved(prompt, label, version)):
        raise ReviewNeeded(f"{label} is protected: {why} Ask for a review.")
    if rule.needs_green_tests and (against := gates.objections(version, label)):
        raise TestsNeeded(f"{label} needs green tests for version {version.number}. {' '.join(against)}")


def _move(
    action: Action,
    *,
    actor: Actor,
    prompt: Prompt,
    label: str,
    before: Label | None,
    to: PromptVersion | None,
    reason: str,
) -> Label | None:
    """Point the label of a locked prompt at `to`, or take it off, and keep who did it and why."""
    was = before.version if before else None
    moment = now()
    moved = before
    if to is None:
        Label.objects.filter(prompt=prompt, name=label).delete()
        moved = None
    elif before is None:
        revision = LabelMove.objects.filter(prompt=prompt, label=label).count() + 1
        moved = Label.objects.create(prompt=prompt, name=label, version=to, revision=revision, moved_at=moment)
    else:
        before.version, before.revision, before.moved_at = to, before.revision + 1, moment
        before.save(update_fields=["version", "revision", "moved_at"])
    person = person_of(actor)
    LabelMove.objects.create(
        prompt=prompt,
        label=label,
        from_version=was,
        to_version=to,
        reason=reason,
        moved_by=person,
        moved_by_name=actor.name,
        moved_at=moment,
    )
    refresh(prompt)
    detail = {
        "before": {label: was.number if was else None},
        "after": {label: to.number if to else None},
        "reason": reason,
    }
    record_change(action, actor=actor, prompt=prompt, detail=detail, reason=reason)
    return moved


def _now(prompt: Prompt, label: str, seen_revision: int) -> Label | None:
    """Return the label as it is, StaleLabel when that is not what the decision was made on."""
    label_now = Label.objects.filter(prompt=prompt, name=label).select_related("version").first()
    if (label_now.revision if label_now else 0) != seen_revision:
        raise _stale(prompt, label)
    return label_now


@transaction.atomic
def publish(
    *, actor: Actor, prompt: Prompt, version: PromptVersion, label: str, reason: str, seen_revision: int
) -> Label:
    """Point a label at a version. Callers that use the label get it from the next call on.

    `seen_revision` is the label's revision the decision was made on, 0 when there was none.
    """
    reason, label = check_reason(reason), check_label(label)
    lock_around(prompt, refs_of(version))
    prompt = locked(prompt)
    if version.prompt_id != prompt.pk:
        raise BadInput(f"{version} is not a version of {prompt.slug}.", param="version")
    before = _now(prompt, label, seen_revision)
    if before is None and Label.objects.filter(prompt=prompt).count() >= _MOST_LABELS:
        raise BadInput(f"A prompt has at most {_MOST_LABELS} labels.", param="label")
    if before is not None and before.version_id == version.pk:
        raise BadInput(f"{label} points at version {version.number} already.", param="version")
    check_includes(prompt, refs_of(version), "sandbox" if label == "staging" else "production")
    _check_rule(prompt, label, version)
    moved = _move(
        actions.PROMPT_PUBLISHED, actor=actor, prompt=prompt, label=label, before=before, to=version, reason=reason
    )
    if moved is None:
        raise AssertionError("A published label is there.")
    return moved


def version_before(prompt: Prompt, label: str) -> PromptVersion | None:
    """Return what the label meant before its last move: where a roll-back goes."""
    last = LabelMove.objects.filter(prompt=prompt, label=label).select_related("from_version").first()
    return last.from_version if last else None


@transaction.atomic
def roll_back(*, actor: Actor, prompt: Prompt, label: str, reason: str, seen_revision: int) -> Label:
    """Undo the last move of a label. What was live before was allowed then, so nobody has to approve it again."""
    reason = check_reason(reason)
    meant = version_before(prompt, label)  # `_now` refuses below when it is another by then
    lock_around(prompt, refs_of(meant) if meant else [])
    prompt = locked(prompt)
    before = _now(prompt, label, seen_revision)
    to = version_before(prompt, label)
    if before is None or to is None:
        raise BadInput(f"{label} of {prompt.slug} has not moved yet, so there is nothing to roll back to.")
    # A partial it had may be gone by now, and then its callers would be refused.
    check_includes(prompt, refs_of(to), "sandbox" if label == "staging" else "production")
    moved = _move(
        actions.PROMPT_ROLLED_BACK, actor=actor, prompt=prompt, label=label, before=before, to=to, reason=reason
    )
    if moved is None:
        raise AssertionError("A label that was rolled back is there.")
    return moved


@transaction.atomic
def remove_label(*, actor: Actor, prompt: Prompt, label: str, reason: str, seen_revision: int) -> None:
    """Take a label off. Calls that use it are refused from the next one on."""
    reason = check_reason(reason)
    prompt = locked(prompt)
    before = _now(prompt, label, seen_revision)
    if before is None:
        raise _stale(prompt, label)
    if rule_for(prompt, label) is not None:
        raise ReviewNeeded(f"{label} is protected, so it moves but is not taken off. An owner can end its rule.")
    _move(actions.PROMPT_LABEL_REMOVED, actor=actor, prompt=prompt, label=label, before=before, to=None, reason=reason)


@transaction.atomic
def set_rule(
    *, actor: Actor, team: Team, label: str, needs_review: bool, needs_green_tests: bool = False
) -> LabelRule | None:
    """Set what a team asks before this label of its prompts moves; neither ends the rule."""

    def shown(rule: LabelRule | None) -> dict[str, Any]:
        return {
            "needs_review": bool(rule and rule.needs_review),
            "needs_green_tests": bool(rule and rule.needs_green_tests),
        }

    label = check_label(label)
    rule = LabelRule.objects.select_for_update(no_key=True).filter(team=team, label=label).first()
    before = shown(rule)
    if not needs_review and not needs_green_tests:
        if rule is not None:
            LabelRule.objects.filter(pk=rule.pk).delete()
        rule = None
    else:
        rule, _ = LabelRule.objects.update_or_create(
            team=team, label=label, defaults={"needs_review": needs_review, "needs_green_tests": needs_green_tests}
        )
    if before != shown(rule):
        detail = changes(before, shown(rule)) | {"label": label}
        record(
            actions.LABEL_RULE_SET, actor=actor, target=team, target_name=f"{team}:{label}", team=team, detail=detail
        )
    return rule
