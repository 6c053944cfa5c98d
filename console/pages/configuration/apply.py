"""Apply a configuration file: read, compare, show, and do it in one transaction or not at all."""

from collections.abc import Callable, Mapping
from pathlib import Path

from django.db import OperationalError, transaction

from console.audit import actions
from console.audit.models import Epoch
from console.audit.services import record
from console.core.errors import Refusal
from console.core.races import lost
from console.pages.configuration.document import Problem, Unusable, read
from console.pages.configuration.document_files import Texts, read_documents
from console.pages.configuration.forms import Entry, Wrong
from console.pages.configuration.plan import Plan
from console.pages.configuration.plan_tools import Offers
from console.pages.configuration.shape import FILE
from console.pages.configuration.steps import Ref, Step, summary
from console.pages.configuration.tool_servers import look_ahead
from console.teams.actors import Actor

ACTOR = Actor(kind="system", id=None, name="manage.py apply")
_TRIES = 5


def parse(text: str) -> tuple[Entry, list[Problem]]:
    """Return what the file says, and everything in it that cannot be understood."""
    value, problems = read(text)
    try:
        return FILE.read(value, problems), problems
    except Wrong as wrong:  # pragma: no cover - `read` returns a mapping, which is what FILE wants
        raise Unusable([Problem(value.place, str(wrong))]) from None


def apply(
    text: str,
    *,
    source: str,
    folder: Path,
    environ: Mapping[str, str],
    dry_run: bool = False,
    show: Callable[[list[Step]], None] = lambda steps: None,
    actor: Actor = ACTOR,
) -> list[Step]:
    """Make the installation what the file says; Unusable with all problems, and nothing changed, when that cannot be.

    `show` gets the steps before the first of them runs. A dry run does everything and takes it back at the end, so it
    finds what only the services know.
    """
    file, problems = parse(text)
    offers = {} if problems else look_ahead(file, folder=folder, environ=environ)
    texts = read_documents(file, folder=folder)
    for left in reversed(range(_TRIES)):
        try:
            with transaction.atomic():
                return _apply(file, problems, offers, texts, source, folder, environ, dry_run, show, actor)
        except OperationalError as error:
            # A file holds the epoch first, changes by others their row: where they meet, one is taken back as a whole.
            refusal = lost(error)
            if refusal is None or not left:
                raise refusal or error from error
            show = _silently
    raise AssertionError("The last try answers or raises.")


def _silently(steps: list[Step]) -> None:
    """Show nothing: it was shown when it was tried first."""


def _apply(
    file: Entry,
    problems: list[Problem],
    offers: Offers,
    texts: Texts,
    source: str,
    folder: Path,
    environ: Mapping[str, str],
    dry_run: bool,
    show: Callable[[list[Step]], None],
    actor: Actor,
) -> list[Step]:
    Epoch.objects.select_for_update().get(pk=1)  # every change takes its turn here, so files do too
    plan = Plan(file, actor=actor, source=source, folder=folder, environ=environ, offers=offers, texts=texts)
    if problems or plan.problems:
        raise Unusable(problems + plan.problems)
    show(plan.steps)
    refused = _run(plan.steps)
    if refused:
        raise Unusable(refused)
    if any(step.sign != "=" for step in plan.steps):
        detail = {"file": source, "steps": [f"{s.sign} {s.noun} {s.name}" for s in plan.steps if s.sign != "="]}
        record(
            actions.CONFIGURATION_APPLIED,
            actor=actor,
            target_name=source,
            detail=detail | {"said": summary(plan.steps)},
        )
    if dry_run:
        transaction.set_rollback(True)
    return plan.steps


def _run(steps: list[Step]) -> list[Problem]:
    """Run the steps and return every refusal. What needs a refused thing is passed over: it would only echo it."""
    problems: list[Problem] = []
    failed: set[Ref] = set()
    for step in steps:
        if step.sign == "=":
            continue
        if step.needs & failed:
            failed.add(step.makes)
            continue
        try:
            with transaction.atomic():
                step.run()
        except Refusal as refusal:
            failed.add(step.makes)
            place = step.where(refusal.param) if refusal.param else step.place
            problems.append(Problem(place, refusal.message))
    return problems
