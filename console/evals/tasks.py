"""Background work of tests and replays: thin wrappers, safe to run twice, late or never."""

import uuid
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down

from console.evals import engine, ticking
from console.evals.replaying import REPLAYS
from console.evals.services import keeping, settling
from console.evals.trying import TESTS


@shared_task(name="evals.advance")
def advance_task(run_id: str) -> None:
    engine.advance(TESTS, uuid.UUID(run_id))
    settling.settle_run(uuid.UUID(run_id))


@shared_task(name="evals.replay")
def replay_task(replay_id: str) -> None:
    engine.advance(REPLAYS, uuid.UUID(replay_id))


@shared_task(name="evals.tick")
def tick_task() -> None:
    ticking.tick()


@shared_task(name="evals.sweep")
def sweep_task() -> None:
    engine.sweep(TESTS)
    engine.sweep(REPLAYS)


@shared_task(name="evals.forget_answers")
def forget_answers_task() -> None:
    keeping.forget_answers()
    keeping.forget_items()
    keeping.forget_runs()


@worker_shutting_down.connect
def stop_starting(**_: Any) -> None:
    """Let no further call begin; those under way end, and the next worker takes over at once."""
    engine.stopping.set()
