"""Create, change and delete test cases."""

from typing import Any

from django.db import transaction

from console.audit import actions
from console.core.clock import now
from console.core.errors import BadInput, Conflict, check_revision
from console.evals.checks import check_specs
from console.evals.models import TestCase
from console.teams.actors import Actor
from prompts_app.models import Kind, Prompt
from prompts_app.services.common import locked, record_change

MOST_CASES = 500
_LONGEST = 100_000


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    name = str(fields["name"]).strip()
    if not name or len(name) > 100:
        raise BadInput("A test has a name of up to 100 characters.", param="name")
    for field in ("message", "expected"):
        text = fields[field]
        if not isinstance(text, str) or len(text) > _LONGEST or "\x00" in text:
            raise BadInput(f"{field} is a text of up to {_LONGEST:,} characters.", param=field)
    if not isinstance(fields["variables"], dict) or len(str(fields["variables"])) > _LONGEST:
        raise BadInput("variables is an object of names and values.", param="variables")
    checks = check_specs(fields["checks"], expected=fields["expected"])
    return {**fields, "name": name, "checks": checks}


def _note(action: Any, actor: Actor, prompt: Prompt, case: TestCase) -> None:
    record_change(action, actor=actor, prompt=prompt, detail={"test": case.name, "checks": len(case.checks)})


@transaction.atomic
def create_case(
    *,
    actor: Actor,
    prompt: Prompt,
    name: str,
    variables: dict[str, Any],
    checks: list[Any],
    message: str = "",
    expected: str = "",
) -> TestCase:
    """Add a case. Labels that ask for green tests ask for this one, too, from now on."""
    prompt = locked(prompt)
    if prompt.kind == Kind.PARTIAL:
        raise BadInput("A partial is never called; test the prompts that include it.")
    if TestCase.objects.filter(prompt=prompt).count() >= MOST_CASES:
        raise BadInput(f"A prompt has at most {MOST_CASES} tests.")
    given = {"name": name, "variables": variables, "checks": checks, "message": message, "expected": expected}
    fields = _checked(given)
    if TestCase.objects.filter(prompt=prompt, name=fields["name"]).exists():
        raise Conflict(f"There is a test {fields['name']!r} already.", param="name")
    case = TestCase.objects.create(prompt=prompt, changed_by_name=actor.name, **fields)
    _note(actions.TEST_CASE_CREATED, actor, prompt, case)
    return case


@transaction.atomic
def change_case(*, actor: Actor, case: TestCase, seen_revision: int | None = None, **fields: Any) -> TestCase:
    """Change a case; Overtaken when somebody did since it was seen. Runs from before do not count for it any more."""
    prompt = locked(case.prompt)
    case = TestCase.objects.get(pk=case.pk)
    check_revision(f"the test {case}", case.revision, seen_revision)
    now_is = {name: getattr(case, name) for name in ("name", "variables", "checks", "message", "expected")}
    wanted = _checked({**now_is, **fields})
    if TestCase.objects.filter(prompt=prompt, name=wanted["name"]).exclude(pk=case.pk).exists():
        raise Conflict(f"There is a test {wanted['name']!r} already.", param="name")
    if wanted == now_is:
        return case
    for name, value in wanted.items():
        setattr(case, name, value)
    case.changed_by_name, case.changed_at, case.revision = actor.name, now(), case.revision + 1
    case.save(update_fields=[*wanted, "changed_by_name", "changed_at", "revision"])
    _note(actions.TEST_CASE_CHANGED, actor, prompt, case)
    return case


@transaction.atomic
def delete_case(*, actor: Actor, case: TestCase) -> None:
    """Forget a case; what past runs said of it stays."""
    prompt = locked(case.prompt)
    case = TestCase.objects.get(pk=case.pk)
    _note(actions.TEST_CASE_DELETED, actor, prompt, case)
    case.delete()
