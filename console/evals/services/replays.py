"""Create, start, stop and remove replays. They are carried out in `engine.py` and `replay_items.py`."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit.services import record
from console.catalog.models import Alias
from console.core.clock import now
from console.core.errors import BadInput, Conflict, NotAllowed
from console.core.ids import request_id
from console.core.races import hold
from console.core.tasks import enqueue_on_commit
from console.evals.checks import check_specs
from console.evals.cost_estimate import Estimate, estimate
from console.evals.lease import QUEUE
from console.evals.models import GOING_ON, Dataset, DatasetItem, Replay, ReplayResult
from console.evals.replay_items import REPLAYS
from console.evals.services.callers import check_caller
from console.evals.services.datasets import locked
from console.evals.services.runs import environment_of
from console.evals.subjects import version_behind
from console.teams.actors import Actor
from console.teams.models import ApiKey, Environment, Team, User
from console.teams.rights import manages_installation
from console.teams.roles import EXACT_MODELS
from prompts_app.models import PromptVersion

MOST_GOING_ON, MOST_REPLAYS = 3, 50
MOST_CHECKS = 5
_NOT_SAID = "A candidate is another model, a version of a prompt, or both."


def check_wanted(
    *,
    actor: Actor,
    team: Team,
    model: str = "",
    version: PromptVersion | None = None,
    checks: Sequence[Any] = (),
    likeness_by: str = "",
) -> Replay:
    """Return a replay without a dataset, which is not stored; refuse what no dataset could be asked of."""
    check_caller(actor, team, purpose="replay")
    assert actor.id is not None
    name, environment = environment_of(model.strip())
    replay = Replay(
        team=team,
        model=name,
        environment=Environment.PRODUCTION if "/" in name else environment,  # no pin is asked then
        version=version,
        checks=_checks(checks),
        likeness_by=likeness_by.strip(),
        started_by_kind=actor.kind,
        started_by_id=actor.id,
        started_by_name=actor.name,
        client_address=actor.client_address,
    )
    _check_candidate(actor, replay)
    return replay


def plan(*, actor: Actor, dataset: Dataset, **wanted: Any) -> tuple[Replay, list[DatasetItem], Estimate]:
    """Return a replay that is not stored, its items and what it would cost; refuse one that could not be asked."""
    replay = check_wanted(actor=actor, team=dataset.team, **wanted)
    items = list(DatasetItem.objects.filter(dataset=dataset))
    replay.dataset = dataset
    _check_items(replay, items)
    return replay, items, estimate(replay, items)


def _checks(given: Sequence[Any]) -> list[dict[str, Any]]:
    if not given:
        return []
    if len(given) > MOST_CHECKS:
        raise BadInput(f"A replay has at most {MOST_CHECKS} checks.", param="checks")
    return check_specs(list(given), expected="the recorded answer")


def _check_candidate(actor: Actor, replay: Replay) -> None:
    if not replay.model and replay.version is None:
        raise BadInput(_NOT_SAID, param="model")
    if len(replay.model) > 200:
        raise BadInput("Say which alias, or which exact version, should answer.", param="model")
    if replay.model:
        _check_model(actor, replay.team, replay.model, replay.environment, param="model")
        replay.pinned = str(version_behind(replay.model, replay.environment) or "")
    if replay.likeness_by:
        _check_model(actor, replay.team, replay.likeness_by, replay.environment, param="likeness_by")


def _check_model(actor: Actor, team: Team, name: str, environment: str, *, param: str) -> None:
    """Say beforehand what each call would be refused with."""
    if "/" in name:
        if not _may_name_exact(actor):
            raise NotAllowed("Exact versions are for operators, and for keys they gave models:exact to.", param=param)
        found = version_behind(name, environment)
        if found is None or found.retired_at is not None:
            raise BadInput(f"There is no model version {name!r}, or it is retired.", param=param)
        return
    alias = Alias.objects.filter(name=name).prefetch_related("teams").first()
    if alias is None or (alias.teams.all() and team not in alias.teams.all()):
        raise BadInput(f"{team} has no alias {name!r}.", param=param)
    if version_behind(name, environment) is None:
        raise BadInput(f"The alias {name} is not pinned in {environment}.", param=param)


def _may_name_exact(actor: Actor) -> bool:
    assert actor.id is not None
    if actor.kind == "user":
        return User.objects.filter(pk=actor.id, is_superuser=True).exists()
    key = ApiKey.objects.select_related("owner").filter(pk=actor.id).first()
    return key is not None and (EXACT_MODELS in key.scopes or manages_installation(key))


def _check_items(replay: Replay, items: Sequence[DatasetItem]) -> None:
    if not replay.model and any(not item.alias for item in items):
        raise BadInput("Some items name no alias of their own; choose a model.", param="model")
    if replay.version is None:
        if any("messages" not in item.body and item.operation == "chat" for item in items if not item.is_forgotten):
            raise BadInput("Some items are values for a prompt; choose a version of one.", param="prompt")
        return
    slug = replay.version.prompt.slug
    usual = "" if replay.dataset.source == Dataset.Source.LOG else slug  # what was uploaded names no prompt
    others = sum(item.prompt.get("slug", usual) != slug or item.operation != "chat" for item in items)
    if others:
        calls = f"{others} of {len(items)} items are no chat completions"
        raise BadInput(f"{calls} with the prompt {slug}; sample records of that prompt.", param="prompt")


def _check_going_on(team: Team) -> None:
    locked(team)
    if Replay.objects.filter(team=team, status__in=GOING_ON).count() >= MOST_GOING_ON:
        raise Conflict(f"{MOST_GOING_ON} replays of {team} are going on; wait for one of them or stop it.")


def start_replay(*, actor: Actor, dataset: Dataset, **wanted: Any) -> Replay:
    """Begin to ask a candidate all items of a dataset. The calls are the actor's, on the team's quota."""
    with transaction.atomic():
        dataset = hold(dataset, "team")
        replay, items, costs = plan(actor=actor, dataset=dataset, **wanted)
        _check_going_on(dataset.team)
        if dataset.replays.count() >= MOST_REPLAYS:
            raise BadInput(f"A dataset has at most {MOST_REPLAYS} replays; remove one first.")
        replay.estimate_micros = costs.whole_micros
        replay.save(force_insert=True)
        ReplayResult.objects.bulk_create([ReplayResult(replay=replay, item=item) for item in items], batch_size=100)
        detail = {
            "model": replay.target or "as recorded",
            "version": str(replay.version or ""),
            "items": len(items),
            "checks": len(replay.checks),
            "estimate_micros": costs.whole_micros,
        }
        _note(actions.REPLAY_STARTED, actor, replay, detail)
        enqueue_on_commit(REPLAYS.task, replay.pk, queue=QUEUE)
    return replay


def _note(action: actions.Action, actor: Actor, replay: Replay, detail: dict[str, Any]) -> None:
    dataset = replay.dataset
    record(action, actor=actor, target=replay, target_name=dataset.name, team=dataset.team, detail=detail)


@transaction.atomic
def retry_replay(*, actor: Actor, replay: Replay) -> int:
    """Ask again what has no answer, errors and what was not reached, as whoever wants it. Answers there are stay."""
    rows = Replay.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "dataset__team", "version__prompt"
    )
    replay = rows.get(pk=replay.pk)
    if not replay.is_over:
        raise Conflict("This replay is going on.")
    _check_going_on(replay.team)
    check_caller(actor, replay.team, purpose="replay")
    _check_candidate(actor, replay)
    # What waits may be in progress still, where somebody stopped it a moment ago: its calls are not forgotten.
    failed = replay.results.filter(status=ReplayResult.Status.ERROR)
    failed.update(status=ReplayResult.Status.WAITING, error="", trouble="", calls={}, judging_micros=0)
    count = replay.results.filter(status=ReplayResult.Status.WAITING).update(is_forgotten=False)
    if not count:
        raise Conflict("Every item of this replay was answered.")
    replay.status, replay.finished_at, replay.lease_until = Replay.Status.QUEUED, None, None
    replay.not_before, replay.waits_for, replay.held_since = None, "", None
    replay.started_by_kind, replay.started_by_name = actor.kind, actor.name
    assert actor.id is not None
    replay.started_by_id, replay.client_address = actor.id, actor.client_address
    replay.save()
    _note(actions.REPLAY_RETRIED, actor, replay, {"candidate": replay.candidate, "items": count})
    enqueue_on_commit(REPLAYS.task, replay.pk, queue=QUEUE)
    return count


@transaction.atomic
def stop_replay(*, actor: Actor, replay: Replay) -> None:
    """Begin no further item. Calls in progress end by themselves and are paid."""
    going_on = Replay.objects.filter(pk=replay.pk, status__in=GOING_ON)
    if going_on.update(status=Replay.Status.STOPPED, finished_at=now(), lease_until=None, waits_for=""):
        _note(actions.REPLAY_STOPPED, actor, replay, {"candidate": replay.candidate})


@transaction.atomic
def delete_replay(*, actor: Actor, replay: Replay) -> None:
    """Remove a replay with its answers; the calls it made stay in the log."""
    replay = hold(replay, "dataset__team")
    if not replay.is_over:
        raise Conflict("This replay is going on; stop it first.")
    _note(actions.REPLAY_DELETED, actor, replay, {"candidate": replay.candidate})
    replay.delete()


def read_result(*, actor: Actor, replay: Replay, result: ReplayResult) -> None:
    """Record that somebody looked at an answer, beside what was answered before."""
    item = result.item
    detail = {"item": item.place, **({"record": request_id(item.record_id)} if item.record_id else {})}
    _note(actions.REPLAY_READ, actor, replay, detail)


def read_results(*, actor: Actor, replay: Replay, results: int) -> None:
    """Record that somebody was given the answers of a replay."""
    _note(actions.REPLAY_READ, actor, replay, {"results": results})
