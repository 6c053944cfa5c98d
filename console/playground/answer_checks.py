"""Run the checks of a test case on the answers of the page. Checks that ask a model are calls of the playground."""

import asyncio
from dataclasses import dataclass
from typing import Any

from console.evals.checks import Verdict, title_of
from console.evals.models import TestCase
from console.evals.verdicts import AskModel, verdict_on
from console.gateway import pipeline
from console.gateway.asks import own_ask
from console.gateway.identity import PersonIdentity
from console.gateway.refusals import Identify
from console.playground.bench import Bench, SetUp
from console.playground.requests import ROUTE, SURFACE, model_of
from console.teams.callers import TeamRequest
from console.teams.models import Team


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    verdicts: list[Verdict]


@dataclass(frozen=True, slots=True)
class Checked:
    """One case: a column for each answer there is, a row for each check."""

    case: TestCase
    names: tuple[str, ...]
    rows: tuple[Row, ...]


async def check(request: TeamRequest, case: TestCase, bench: Bench, team: Team) -> Checked:
    """Return what every check says of every answer; all are asked at once."""
    answered = [one for one in bench.set_ups if one.answer and one.model]
    columns = await asyncio.gather(
        *(verdicts(case, set_up.answer, _asking(request, set_up, team)) for set_up in answered)
    )
    rows = [Row(title_of(spec), said) for spec, *said in zip(case.checks, *columns, strict=True)]
    return Checked(case, tuple(one.name for one in answered), tuple(rows))


async def verdicts(case: TestCase, answer: str, ask: AskModel) -> list[Verdict]:
    """Return what each check of a case says of one answer."""
    return await asyncio.gather(*(verdict_on(spec, case.expected, answer, ask) for spec in case.checks))


def _asking(request: TeamRequest, set_up: SetUp, team: Team) -> AskModel:
    """Return how a check asks: as the person, for the team, in the environment of the set-up."""
    assert request.caller.user is not None
    identify = PersonIdentity(request.caller.user.pk, team.pk, model_of(set_up)[1])
    return asking(identify, route=ROUTE, client_address=request.client_address)


def asking(identify: Identify, *, route: str, client_address: str) -> AskModel:
    """Return how a check asks a model in somebody's name: by calls of the playground."""

    async def ask(operation: str, body: dict[str, Any]) -> bytes:
        wanted = own_ask(
            operation, body, type="playground", surface=SURFACE, route=route, client_address=client_address
        )
        return await pipeline.answer(await pipeline.open_call(identify, wanted))

    return ask
