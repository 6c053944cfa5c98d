"""What runs read and said is forgotten as the log forgets content, and runs as it forgets lines."""

import datetime as dt
import json

import pytest
from django.db import IntegrityError, transaction

from agents_app.errors import Forgotten
from agents_app.models import Agent, Approval, Firing, Outgoing, Run, RunQuestion, Step, Trigger
from agents_app.services import questions, retention
from agents_app.services.reruns import rerun, rerun_from
from agents_app.services.runs import Origin
from console.audit import actions
from console.audit.models import AuditEvent
from console.core.clock import now
from tests import make
from tests.make import client_of
from tests.runs.conftest import Shop
from tests.runs.scripts import wants, words


def made_older(run: Run, days: int) -> None:
    Run.objects.filter(pk=run.pk).update(ended_at=now() - dt.timedelta(days=days))


@pytest.fixture
def run(shop: Shop) -> Run:
    run = shop.run(wants(("pay", {"what": "secret rent"})), message="Pay the secret rent.")
    shop.says(words("The secret rent is paid."))
    run = shop.decide(run)
    assert run.state == "succeeded"
    RunQuestion.objects.create(run=run, asked_by_name="Ada", question="Why the secret rent?", answer="The secret rent.")
    return run


def test_it_empties_runs_past_the_retention_of_content_and_keeps_their_figures(shop: Shop, run: Run) -> None:
    made_older(run, 89)
    assert retention.forget()["emptied"] == 0
    made_older(run, 91)
    before = list(run.steps.values_list("number", "kind", "state", "tool_name", "model", "prompt_tokens", "request_id"))
    assert (retention.forget()["emptied"], retention.forget()["emptied"]) == (1, 0)
    line = AuditEvent.objects.get(action=actions.RETENTION_APPLIED.name, target="runs of agents")
    assert json.loads(line.detail)["emptied"] == 1
    after = list(run.steps.values_list("number", "kind", "state", "tool_name", "model", "prompt_tokens", "request_id"))
    assert after == before
    rules = [decision["rule"] for step in run.steps.all() for decision in step.decisions]
    assert rules and all(rules)
    for model in (Run, Step, Approval):
        assert "secret" not in str(list(model.objects.values()))
    assert not RunQuestion.objects.exists()

    with pytest.raises(IntegrityError, match="stays that"), transaction.atomic():
        run.steps.update(output={"text": "Nothing is put in its place."})

    page = client_of(shop.ada).get(f"/runs/{run.public_id}/?step=2")
    text = page.content.decode()
    assert page.status_code == 200 and "was deleted" in text
    assert "Run again" not in text and "Ask about this run" not in text
    actor = make.actor_for(shop.ada)
    run.refresh_from_db()
    with pytest.raises(Forgotten):
        rerun_from(actor=actor, agent=run.agent, run=run, number=1, origin=Origin("api"))
    with pytest.raises(Forgotten):
        rerun(actor=actor, agent=run.agent, run=run, origin=Origin("api"))
    with pytest.raises(Forgotten):
        questions.ask_run(actor=actor, user=shop.ada, run=run, question="Why?")


def test_it_removes_runs_past_the_retention_of_the_log_and_leaves_what_is_not_over(shop: Shop, run: Run) -> None:
    waiting = shop.run(wants(("pay", {"what": "rent"})))
    assert waiting.state == "waiting"
    made_older(run, 401)
    Run.objects.filter(pk=waiting.pk).update(created_at=now() - dt.timedelta(days=500))
    assert retention.forget()["runs"] == 1
    assert list(Run.objects.all()) == [waiting] and waiting.steps.exists()


def test_it_removes_firings_that_nobody_waits_for(shop: Shop, run: Run) -> None:
    agent = Agent.objects.get(pk=shop.agent.pk)
    trigger = Trigger.objects.create(agent=agent, kind="webhook", name="Hook", environment="production")
    broker = make.make_broker(agent.team)
    old = now() - dt.timedelta(days=91)

    def fire(key: str, state: str, **fields: object) -> Firing:
        return Firing.objects.create(trigger=trigger, key=key, state=state, at=old, **fields)

    fire("started", "started", run=run)
    fire("skipped", "skipped")
    parked = fire("parked", "parked")
    unsent = fire("unsent", "started", run=run)
    Outgoing.objects.create(broker=broker, firing=unsent, kind="result", queue="out")
    sent = Outgoing.objects.create(broker=broker, kind="result", queue="out", sent_at=old)
    recent = Firing.objects.create(trigger=trigger, key="recent", state="started", run=run)
    done = retention.forget()
    assert (done["firings"], done["outgoing"]) == (2, 1)
    assert set(Firing.objects.all()) == {parked, unsent, recent}
    assert not Outgoing.objects.filter(pk=sent.pk).exists()
