"""Create the demo's replay, with invented answers of a newer version."""

import datetime as dt
import json
import random

from console.audit.models import EventType, Status
from console.audit.services.calls import record_call
from console.catalog.models import ModelVersion
from console.catalog.queries import price_now
from console.core.clock import now
from console.evals.models import DatasetItem, Replay, ReplayResult
from console.evals.sampling import Sampling
from console.evals.services.datasets import sample_dataset
from console.pages.demo.ids import id_at
from console.teams.actors import Actor
from console.teams.models import Environment, Team, User

_ALIAS, _CANDIDATE, _BY = "support-chat", "meridian-large-2026-10-28", "tomas.lind@demo.example"
_PHRASE = "Unfortunately"
# By how an answer begins: what the candidate says, and how alike that is.
_SAYS = {
    "Version 8.2 asks": (
        "After 8.2 every phone signs in once more: Settings, Account, Sign in again. Jobs saved offline are kept.",
        0.94,
    ),
    "Yes. Select the visits": (
        "Yes. Select the visits, choose Reassign, and switch off Notify customers. Customers hear of it only if the "
        "time changes.",
        0.97,
    ),
    "Open the appointment": (
        f"{_PHRASE}, only owners see that. Ask one of them to open the appointment and choose History.",
        0.71,
    ),
    "Open the customer": (
        "Open the customer, choose Billing, and edit the address. The next invoice has it; those already sent stay.",
        0.95,
    ),
}


def make_replay(team: Team, people: dict[str, User]) -> None:
    """Make a dataset of the demo's own calls, and a replay of it that is done."""
    by = people[_BY]
    # The newest all keep what was said, at any hour of the day; of the others hardly any does.
    wanted = Sampling(team_id=team.pk, number=24, alias=_ALIAS, environment=Environment.PRODUCTION)
    dataset, _ = sample_dataset(
        actor=Actor("user", by.pk, by.name),
        team=team,
        name="Live chat, before the new version",
        wanted=wanted,
        chosen=f"The newest 24, alias {_ALIAS}, production, answered",
    )
    version = ModelVersion.objects.select_related("provider").prefetch_related("prices").get(name=_CANDIDATE)
    ended = now() - dt.timedelta(hours=3)
    replay = Replay.objects.create(
        id=id_at(ended),
        dataset=dataset,
        team=team,
        model=_ALIAS,
        environment=Environment.SANDBOX,
        pinned=str(version),
        checks=[{"kind": "not_contains", "value": _PHRASE}],
        status=Replay.Status.DONE,
        started_by_kind="user",
        started_by_id=by.pk,
        started_by_name=by.name,
        started_at=ended - dt.timedelta(seconds=50),
        finished_at=ended,
    )
    rng = random.Random(dataset.items.count())  # noqa: S311  invented figures, no secret
    results = [_result(replay, item, version, rng) for item in dataset.items.all()]
    ReplayResult.objects.bulk_create(results)
    replay.estimate_micros = round(sum(result.cost_micros for result in results) * 1.04)
    replay.save(update_fields=["estimate_micros"])


def _result(replay: Replay, item: DatasetItem, version: ModelVersion, rng: random.Random) -> ReplayResult:
    known = (said for begins, said in _SAYS.items() if item.expected.startswith(begins))
    text, likeness = next(known, (item.expected, 1.0))
    completion = max(20, round(item.completion_tokens * rng.uniform(0.75, 0.95)))
    price = price_now(version)
    cost = round(item.prompt_tokens * price.input + completion * price.output) if price else 0
    latency = round((item.latency_us or 1_000_000) * rng.uniform(0.7, 1.05))
    began = replay.started_at + dt.timedelta(seconds=2 * item.place)
    identifier = id_at(began)
    record_call(
        identifier,
        at=began,
        closed_at=began + dt.timedelta(microseconds=latency),
        type=EventType.EVALUATION,
        status=Status.OK,
        input=json.dumps({**item.body, "model": f"{_ALIAS}@{Environment.SANDBOX.value}"}),
        output=json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}),
        team_id=replay.team_id,
        team=replay.team.name,
        actor_kind=replay.started_by_kind,
        actor_id=replay.started_by_id,
        actor=replay.started_by_name,
        environment=Environment.PRODUCTION,
        lane="batch",
        surface="evaluation",
        client_request_id=f"demo-replay-{item.place}",
        alias=_ALIAS,
        model=str(version),
        model_version_id=version.pk,
        prompt_tokens=item.prompt_tokens,
        completion_tokens=completion,
        cost_micros=cost,
    )
    return ReplayResult(
        replay=replay,
        item=item,
        status=ReplayResult.Status.FAILED if _PHRASE in text else ReplayResult.Status.PASSED,
        output=text,
        checks=[_check(text)],
        recorded_checks=[_check(item.expected)],
        is_same=text == item.expected,
        likeness=likeness,
        model=str(version),
        request_id=identifier,
        tokens=item.prompt_tokens + completion,
        cost_micros=cost,
        latency_us=latency,
    )


def _check(text: str) -> dict[str, object]:
    passed = _PHRASE not in text
    reason = "" if passed else "It is there."
    return {"kind": "not_contains", "title": f"Does not contain: {_PHRASE}", "passed": passed, "reason": reason}
