"""Create, change and delete aliases."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit.services import changes, record
from console.catalog import where_used
from console.catalog.models import Alias
from console.catalog.names import check_alias_name
from console.core import formatting
from console.core.errors import BadInput, Conflict, check_revision
from console.core.races import hold, insert
from console.teams.callers import Actor
from console.teams.models import Team


def _logged(alias: Alias) -> dict[str, Any]:
    return {
        "description": alias.description,
        "teams": sorted(alias.teams.values_list("slug", flat=True)),
        "needs_second_person": alias.needs_second_person,
        "needs_tests": alias.needs_tests,
    }


@transaction.atomic
def create_alias(*, actor: Actor, name: str, description: str = "", teams: Sequence[Team] = ()) -> Alias:
    """Make a name callers can use; until it is pinned it answers nobody. Without teams it is for everybody."""
    alias = Alias(name=check_alias_name(name), description=description.strip())
    insert(alias, Conflict(f"There is an alias {name!r} already; choose another name.", param="name"))
    alias.teams.set(teams)
    record(actions.ALIAS_CREATED, actor=actor, target=alias, team=_only(teams), detail={"after": _logged(alias)})
    return alias


@transaction.atomic
def change_alias(
    *,
    actor: Actor,
    alias: Alias,
    description: str | None = None,
    teams: Sequence[Team] | None = None,
    seen_revision: int | None = None,
) -> Alias:
    """Change what is said about an alias and who may use it. A name never changes: callers hold it."""
    alias = hold(alias)
    check_revision(alias, alias.revision, seen_revision)
    before = _logged(alias)
    if description is not None:
        alias.description = description.strip()
        alias.save(update_fields=["description"])
    if teams is not None:
        alias.teams.set(teams)
    after = _logged(alias)
    if before != after:
        alias.revision += 1
        alias.save(update_fields=["revision"])
        team = _only(list(alias.teams.all()))
        record(actions.ALIAS_CHANGED, actor=actor, target=alias, team=team, detail=changes(before, after))
    return alias


@transaction.atomic
def require_second_person(*, actor: Actor, alias: Alias) -> Alias:
    """Have changes of the alias's production pin wait until somebody else agrees, from now on.

    One person can begin this; ending it is a proposal (`pins.ask_to_lift_rule`), or the rule would hold nobody.
    """
    alias = hold(alias)
    if alias.needs_second_person:
        return alias
    before = _logged(alias)
    alias.needs_second_person = True
    alias.revision += 1
    alias.save(update_fields=["needs_second_person", "revision"])
    record(actions.ALIAS_CHANGED, actor=actor, target=alias, detail=changes(before, _logged(alias)))
    return alias


@transaction.atomic
def require_tests(*, actor: Actor, alias: Alias, is_required: bool, reason: str = "") -> Alias:
    """Have the alias's production pin move only to versions on which its tests hold; lifting that says why."""
    alias = hold(alias)
    if alias.needs_tests == is_required:
        return alias
    reason = reason.strip()
    if not is_required and not reason:
        raise BadInput("Say why: the next person who wonders will read it in the log.", param="reason")
    before = _logged(alias)
    alias.needs_tests = is_required
    alias.revision += 1
    alias.save(update_fields=["needs_tests", "revision"])
    detail = changes(before, _logged(alias))
    record(actions.ALIAS_CHANGED, actor=actor, target=alias, reason=reason[:500], detail=detail)
    return alias


@transaction.atomic
def delete_alias(*, actor: Actor, alias: Alias) -> None:
    """Delete an alias nothing holds. Calls that still name it are refused from then on."""
    alias = hold(alias)
    if alias.needs_second_person:
        raise Conflict(
            f"Two people decide on {alias.name}, and a new alias of this name would need only one. "
            "Propose to lift that rule first."
        )
    holders = [use for use in where_used.uses_of(alias) if use.holds]
    if holders:
        names = formatting.first_few([f"{use.kind} {use.name}" for use in holders])
        raise Conflict(f"{alias.name} is in use by {names}; take it out there first.")
    before = _logged(alias) | {
        pin.environment: str(pin.model_version) for pin in alias.pins.select_related("model_version__provider")
    }
    record(actions.ALIAS_DELETED, actor=actor, target=alias, detail={"before": before})
    alias.delete()


def _only(teams: Sequence[Team]) -> Team | None:
    """Return the one team an alias belongs to, so that the team's own log shows its changes."""
    return teams[0] if len(teams) == 1 else None
