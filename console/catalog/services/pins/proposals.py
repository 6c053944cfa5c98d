"""Two-person approval: a change waits until somebody else who may make it approves."""

from django.db import IntegrityError, transaction

from console.audit import actions
from console.audit.services import changes, record
from console.catalog.models import Alias, Decision, Pin, PinProposal
from console.catalog.services.pins.change import Author, carry_out, change_pin, check_reason, is_held
from console.catalog.services.pins.draft import open_draft
from console.catalog.services.pins.gate import check_tests
from console.catalog.services.pins.verbs import VERBS, Verb
from console.catalog.words import describe
from console.core.clock import now
from console.core.errors import BadInput, Conflict, NotAllowed
from console.core.races import hold
from console.teams.callers import Actor
from console.teams.models import Environment, User


class PersonNeeded(BadInput):
    """Two keys of one person would be two people."""

    code = "person_needed"


# The one proposal that is about the alias itself.
LIFT_RULE = "lift_rule"


@transaction.atomic
def ask_for_change(
    *, actor: Actor, alias: Alias, environment: str, verb: Verb, reason: str, seen_revision: int
) -> Pin | PinProposal:
    """Change a pin, or, where the alias wants two people to agree, leave a proposal for somebody else."""
    if not is_held(actor, alias, environment, verb):
        return change_pin(
            actor=actor, alias=alias, environment=environment, verb=verb, reason=reason, seen_revision=seen_revision
        )
    reason = check_reason(reason)
    draft = open_draft(alias, environment, seen_revision)
    verb.apply(draft)  # in memory: what cannot be done is refused now, not when somebody agrees
    check_tests(actor, draft, verb)
    difference = changes(draft.before, draft.state())
    if not difference["after"]:
        raise BadInput("Nothing would change.")
    return _propose(
        actor=actor,
        alias=alias,
        environment=environment,
        verb=verb.change.value,
        arguments=verb.arguments(),
        sentence=describe(**difference)[:500],
        reason=reason,
        seen_revision=seen_revision,
    )


@transaction.atomic
def ask_to_lift_rule(*, actor: Actor, alias: Alias, reason: str) -> PinProposal:
    """Propose that one person is enough again. One person cannot decide that."""
    alias = hold(alias)
    if not alias.needs_second_person:
        raise Conflict(f"One person is enough to change {alias.name} already.")
    return _propose(
        actor=actor,
        alias=alias,
        environment=Environment.PRODUCTION,
        verb=LIFT_RULE,
        arguments={},
        sentence="One person is enough to change it",
        reason=check_reason(reason),
        seen_revision=alias.revision,
    )


def _propose(*, actor: Actor, alias: Alias, **fields: object) -> PinProposal:
    if actor.kind != "user":
        raise PersonNeeded("Two people decide on this alias, and a key is neither; propose it signed in.")
    proposal = PinProposal(alias=alias, proposed_by_id=actor.id, proposed_by_name=actor.name, **fields)
    try:
        with transaction.atomic():
            proposal.save(force_insert=True)
    except IntegrityError:
        waiting = PinProposal.objects.get(alias=alias, environment=proposal.environment, decision="")
        raise Conflict(
            f"A proposal of {waiting.proposed_by_name} waits already ({waiting.sentence}); decide on that one first."
        ) from None
    record(
        actions.PIN_PROPOSED,
        actor=actor,
        target=proposal,
        target_name=f"{alias.name}@{proposal.environment}",
        reason=proposal.reason,
        detail={"sentence": proposal.sentence, "arguments": proposal.arguments},
    )
    return proposal


def _claim(actor: Actor, proposal: PinProposal) -> PinProposal:
    """Return the proposal, held until commit, when it is still open."""
    held = hold(proposal, "alias")
    if held.decision:
        raise Conflict(f"{held.decided_by_name} has {held.decision} this proposal already.")
    if actor.kind != "user":
        raise PersonNeeded("A person decides on a proposal, signed in; a key cannot.")
    return held


def _close(proposal: PinProposal, actor: Actor, decision: Decision, reason: str) -> PinProposal:
    proposal.decision, proposal.decision_reason = decision, reason
    proposal.decided_by_id, proposal.decided_by_name, proposal.decided_at = actor.id, actor.name, now()
    proposal.save(update_fields=["decision", "decision_reason", "decided_by", "decided_by_name", "decided_at"])
    return proposal


def _check_two(actor: Actor, proposal: PinProposal) -> None:
    """Refuse unless two people who may make the change at this moment agree on it."""
    if proposal.proposed_by_id == actor.id:
        raise NotAllowed("Somebody else has to agree: you proposed this.")
    people = [person for person in (proposal.proposed_by_id, actor.id) if person]
    operators = set(User.objects.filter(pk__in=people, is_active=True, is_superuser=True).values_list("pk", flat=True))
    if actor.id not in operators:
        raise NotAllowed("Only operators decide on proposals.")
    if proposal.proposed_by_id not in operators:
        raise Conflict(
            f"{proposal.proposed_by_name} is not an operator any more, so nobody but you would agree. "
            "Reject this, and propose it anew."
        )


@transaction.atomic
def approve_proposal(*, actor: Actor, proposal: PinProposal, reason: str = "") -> PinProposal:
    """Agree, and carry it out. Nobody agrees with themselves; a pin that changed since is a Conflict."""
    proposal = _claim(actor, proposal)
    _check_two(actor, proposal)
    if proposal.verb == LIFT_RULE:
        _lift_rule(actor, proposal)
    else:
        verb = VERBS[proposal.verb].restore(proposal.arguments)
        draft = open_draft(proposal.alias, proposal.environment, proposal.seen_revision)
        verb.apply(draft)
        check_tests(actor, draft, verb)
        author = Author(proposal.proposed_by_id, proposal.proposed_by_name, actor.name)
        detail = {"proposed_by": proposal.proposed_by_name, "proposal": str(proposal.pk)}
        carry_out(draft, verb, actor=actor, author=author, reason=proposal.reason, **detail)
    return _close(proposal, actor, Decision.APPROVED, reason.strip()[:500])


def _lift_rule(actor: Actor, proposal: PinProposal) -> None:
    alias = Alias.objects.select_for_update(no_key=True).get(pk=proposal.alias_id)
    if alias.revision != proposal.seen_revision:
        raise Conflict(f"{alias.name} was changed since this was proposed. Reject this, and propose it anew.")
    alias.needs_second_person = False
    alias.revision += 1
    alias.save(update_fields=["needs_second_person", "revision"])
    record(
        actions.ALIAS_CHANGED,
        actor=actor,
        target=alias,
        reason=proposal.reason,
        detail=changes({"needs_second_person": True}, {"needs_second_person": False})
        | {"proposed_by": proposal.proposed_by_name, "proposal": str(proposal.pk)},
    )


@transaction.atomic
def reject_proposal(*, actor: Actor, proposal: PinProposal, reason: str) -> PinProposal:
    """Say no and why; whoever proposed it may take it back the same way."""
    proposal = _claim(actor, proposal)
    is_mine = proposal.proposed_by_id == actor.id
    decision = Decision.WITHDRAWN if is_mine else Decision.REJECTED
    proposal = _close(proposal, actor, decision, reason.strip()[:500] if is_mine else check_reason(reason))
    record(
        actions.PROPOSAL_WITHDRAWN if is_mine else actions.PROPOSAL_REJECTED,
        actor=actor,
        target=proposal,
        target_name=f"{proposal.alias.name}@{proposal.environment}",
        reason=proposal.decision_reason,
        detail={"sentence": proposal.sentence, "proposed_by": proposal.proposed_by_name},
    )
    return proposal
