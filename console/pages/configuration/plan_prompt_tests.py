"""The part of a plan about tests of prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.core.errors import BadInput
from console.evals.checks import check_specs
from console.evals.models import TestCase
from console.evals.services import cases as case_services
from console.pages.configuration.forms import Entry
from console.pages.configuration.free import plain
from console.pages.configuration.steps import differences, drop
from prompts_app.models import Prompt

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_OF_A_CASE: dict[str, Any] = {"variables": {}, "message": "", "expected": ""}


class PromptTestPlan:
    """Adds the steps of the tests of one prompt after the other."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def tests(self, entry: Entry, row: Prompt | None) -> None:
        cases = {case.name: case for case in row.test_cases.all()} if row is not None else {}
        seen: set[str] = set()
        for test in entry.get("tests", []):
            if not (test.has("name") and test.has("checks")):
                continue
            name = test["name"].strip()
            if name in seen:
                self.plan.problem(test, "name", f"{entry['slug']} has the test {name!r} twice in this file.")
                continue
            seen.add(name)
            self._test(entry["slug"], test, name, cases.get(name))

    def _test(self, slug: str, test: Entry, name: str, case: TestCase | None) -> None:
        wanted = {field: plain(test.get(field, usual)) for field, usual in _OF_A_CASE.items()}
        raw = [{key: plain(value) for key, value in one.values.items()} for one in test["checks"]]
        for one in raw:
            one |= {"threshold": float(one["threshold"])} if "threshold" in one else {}
        try:
            wanted["checks"] = check_specs(raw, expected=wanted["expected"])
        except BadInput as refusal:
            self.plan.problem_at(test.in_list("checks", refusal.param or ""), refusal.message)
            return
        title, needs = f"{slug}: {name}", frozenset({("prompt", slug)})

        def make() -> None:
            prompt = Prompt.objects.select_related("team", "head").get(slug=slug, deleted_at=None)
            drop(case_services.create_case(actor=self.plan.actor, prompt=prompt, name=name, **wanted))

        if case is None:
            self.plan.create(test, "test", title, {"checks": len(raw)}, make, needs)
            return
        fields = differences({field: (getattr(case, field), value) for field, value in wanted.items()})
        self.plan.change(
            test,
            "test",
            title,
            fields,
            lambda: drop(case_services.change_case(actor=self.plan.actor, case=case, **wanted)),
            needs,
        )
