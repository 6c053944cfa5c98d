"""Ask somebody else to look before a label moves, and decide.

A review is about one move: this version, that label, from what was live when it was asked. It approves; it does not
publish. Whoever may build in the team then does, while everybody sees that it may be done.
"""

from django.db import IntegrityError, transaction

from console.audit import actions
from console.core.clock import now
from console.core.errors import BadInput, Conflict, NotAllowed
from console.teams.callers import Actor
from console.teams.lineage import answering_for
from console.teams.models import User
from console.teams.rights import must_set_up_two_factor, rights_of_actor
from prompts_app.errors import OwnReview, StaleLabel
from prompts_app.models import Label, Prompt, PromptVersion, Review, ReviewComment
from prompts_app.services import common
from prompts_app.services.common import check_reason, locked, person_of
from prompts_app.text.plain import check_plain
from prompts_app.text.refs import check_label

_LONGEST_COMMENT, _LONGEST_NOTE = 2000, 1000
_DECISIONS = {"approve": Review.Status.APPROVED, "changes": Review.Status.CHANGES}
_LIVE = [Review.Status.OPEN, Review.Status.CHANGES]


def asked_for(review: Review, person: User) -> bool:
    """Return whether a person asked for a review: by themselves, or by a key they answered for then, or do by now."""
    key = review.requested_by_key_id
    return review.requested_by_id == person.pk or (key is not None and person.pk in answering_for([key]))


def _locked(review: Review) -> Review:
    """Return a review as it is now, its row locked until commit: after its prompt's, as in `request_review`."""
    prompt = locked(review.prompt)
    found = (
        Review.objects.select_for_update(no_key=True, of=("self",))
        .select_related("version", "from_version")
        .get(pk=review.pk)
    )
    found.prompt = prompt
    return found


@transaction.atomic
def request_review(
    *, actor: Actor, prompt: Prompt, version: PromptVersion, label: str, reason: str, seen_revision: int
) -> Review:
    """Ask for leave to move a label to a version. A review that ended in changes asked for makes room for this one."""
    reason, label = check_reason(reason), check_label(label)
    person = person_of(actor)
    if person is None and actor.kind == "key":
        # Whoever holds such a key could approve what they asked for with it.
        raise NotAllowed("A review is asked for by somebody: this key answers to nobody.")
    prompt = locked(prompt)
    if version.prompt_id != prompt.pk:
        raise BadInput(f"{version} is not a version of {prompt.slug}.", param="version")
    before = Label.objects.filter(prompt=prompt, name=label).select_related("version").first()
    if (before.revision if before else 0) != seen_revision:
        raise StaleLabel(f"{label} of {prompt.slug} has moved in between; look again before you decide.")
    if before is not None and before.version_id == version.pk:
        raise BadInput(f"{label} points at version {version.number} already.", param="version")
    Review.objects.filter(prompt=prompt, label=label, status=Review.Status.CHANGES).update(
        status=Review.Status.WITHDRAWN
    )
    try:
        with transaction.atomic():
            review = Review.objects.create(
                prompt=prompt,
                label=label,
                version=version,
                from_version=before.version if before else None,
                seen_revision=seen_revision,
                reason=reason,
                requested_by=person,
                requested_by_name=actor.name,
                requested_by_key_id=actor.id if actor.kind == "key" else None,
            )
    except IntegrityError:
        other = Review.objects.select_related("version").get(prompt=prompt, label=label, status=Review.Status.OPEN)
        raise Conflict(
            f"{other.requested_by_name} has asked for a review of version {other.version.number} for {label} already; "
            "it has to be decided or withdrawn first."
        ) from None
    detail = {"label": label, "version": version.number, "reason": reason}
    common.record_change(actions.REVIEW_REQUESTED, actor=actor, prompt=prompt, detail=detail, reason=reason)
    return review


@transaction.atomic
def comment(
    *, actor: Actor, review: Review, text: str, message_index: int | None = None, line: int | None = None
) -> ReviewComment:
    """Remark on one line of the version under review, or on the whole."""
    text = text.strip()
    if not text or len(text) > _LONGEST_COMMENT:
        raise BadInput(f"A comment has 1 to {_LONGEST_COMMENT:,} characters.", param="text")
    check_plain(text, "The comment", param="text")
    review = _locked(review)
    if review.status not in _LIVE:
        raise Conflict(f"This review is over: {review.get_status_display().lower()}.")
    content = review.version.content
    if line is not None:
        place = message_index or 0
        lines = content[place]["text"].count("\n") + 1 if 0 <= place < len(content) else 0
        if not 1 <= line <= lines:
            raise BadInput(f"{review.version} has no line {line} there.", param="line")
        message_index = place
    elif message_index is not None:
        raise BadInput("A remark on a message names its line.", param="line")
    found = ReviewComment.objects.create(
        review=review,
        message_index=message_index,
        line=line,
        text=text,
        author=person_of(actor),
        author_name=actor.name,
    )
    detail = {"label": review.label, "version": review.version.number, "line": line}
    common.record_change(actions.REVIEW_COMMENTED, actor=actor, prompt=review.prompt, detail=detail)
    return found


@transaction.atomic
def decide(*, actor: Actor, review: Review, decision: str, note: str = "") -> Review:
    """Approve a version, or ask for changes. Never by who asked, and only by a person with the right, now."""
    if decision not in _DECISIONS:
        raise BadInput("A decision is approve or changes.", param="decision")
    text = note.strip()
    if len(text) > _LONGEST_NOTE:
        raise BadInput(f"The note has {len(text)} characters; {_LONGEST_NOTE:,} is the most.", param="note")
    check_plain(text, "The note", param="note")
    if decision == "changes" and not text:
        raise BadInput("Say what should change.", param="note")
    review = _locked(review)
    prompt, person = review.prompt, person_of(actor)
    if "approve" not in (rights_of_actor(actor, prompt.team_id) or frozenset()) or person is None:
        raise NotAllowed(f"Reviews are decided by people who may approve in {prompt.team}, or by their keys.")
    if decision == "approve" and must_set_up_two_factor(person):
        raise NotAllowed(
            "Set up a second factor first: a team of yours requires one, and without it no approval counts."
        )
    is_namesake = review.requested_by_id is None and review.requested_by_name == actor.name
    if is_namesake or asked_for(review, person):
        raise OwnReview("Somebody else has to decide: you asked for this review.")
    if review.status not in _LIVE:
        raise Conflict(f"This review is over: {review.get_status_display().lower()}.")
    revision = Label.objects.filter(prompt=prompt, name=review.label).values_list("revision", flat=True).first() or 0
    if decision == "approve" and revision != review.seen_revision:
        raise StaleLabel(
            f"{review.label} has moved since this was requested, so this is out of date. Ask for a new review."
        )
    review.status, review.decision_note = _DECISIONS[decision], text
    review.decided_by, review.decided_by_name, review.decided_at = person, actor.name, now()
    review.save(update_fields=["status", "decision_note", "decided_by", "decided_by_name", "decided_at"])
    action = actions.REVIEW_APPROVED if decision == "approve" else actions.REVIEW_CHANGES_ASKED
    detail = {"label": review.label, "version": review.version.number, "note": text}
    common.record_change(action, actor=actor, prompt=prompt, detail=detail, reason=text)
    return review


@transaction.atomic
def take_back(*, actor: Actor, review: Review) -> Review:
    """Take an approval back before it was used, by anybody who may approve: the review waits for a decision again."""
    review = _locked(review)
    prompt = review.prompt
    if "approve" not in (rights_of_actor(actor, prompt.team_id) or frozenset()):
        raise NotAllowed(f"Approvals are taken back by people who may approve in {prompt.team}, or by their keys.")
    if review.status != Review.Status.APPROVED:
        raise Conflict(f"There is no approval to take back: {review.get_status_display().lower()}.")
    revision = Label.objects.filter(prompt=prompt, name=review.label).values_list("revision", flat=True).first() or 0
    if revision != review.seen_revision:
        raise StaleLabel(f"{review.label} has moved since, so this approval no longer counts.")
    was = review.decided_by_name
    # Somebody may have asked again meanwhile; then theirs is the one to decide.
    others = Review.objects.filter(prompt=prompt, label=review.label, status__in=_LIVE)
    review.status = Review.Status.WITHDRAWN if others.exists() else Review.Status.OPEN
    review.decided_by, review.decided_by_name, review.decided_at, review.decision_note = None, "", None, ""
    review.save(update_fields=["status", "decided_by", "decided_by_name", "decided_at", "decision_note"])
    detail = {"label": review.label, "version": review.version.number, "approved_by": was}
    common.record_change(actions.REVIEW_TAKEN_BACK, actor=actor, prompt=prompt, detail=detail)
    return review


@transaction.atomic
def withdraw(*, actor: Actor, review: Review) -> Review:
    """Take a request back. Anybody who may build in the team can: a colleague on leave must not hold a label."""
    review = _locked(review)
    if review.status not in _LIVE:
        raise Conflict(f"This review is over: {review.get_status_display().lower()}.")
    review.status = Review.Status.WITHDRAWN
    review.save(update_fields=["status"])
    detail = {"label": review.label, "version": review.version.number}
    common.record_change(actions.REVIEW_WITHDRAWN, actor=actor, prompt=review.prompt, detail=detail)
    return review
