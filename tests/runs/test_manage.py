"""/api/runs/, /api/approvals/ and triggers over /api/: what the pages do, for programs and people's scripts."""

import json
import re
from typing import Any

from django.test import Client

from agents_app.models import Approval, Audience, Firing, Run, RunQuestion, Step, Trigger
from console.audit.models import AuditEvent
from console.core.crypto import decrypt
from console.teams.models import Role, User
from tests import make
from tests.make import client_of
from tests.runs.scripts import wants, words
from tests.runs.test_pages import run  # noqa: F401


def ask(who: User | str, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Call /api/ as a person, or with a key."""
    if isinstance(who, str):
        headers["Authorization"] = f"Bearer {who}"
    client = Client() if isinstance(who, str) else client_of(who)
    return client.generic(method, f"/api/{path}", json.dumps(body or {}), "application/json", headers=headers)


def key(cast, *scopes: str, **fields: Any) -> str:
    return make.make_key(cast.team_a, owner=cast.alice, scopes=list(scopes), **fields)[1]


def test_runs_are_listed_shown_and_compared_as_the_page_does(run, agent, anna, cast):  # noqa: F811
    other = make.make_run(agent, cast.bob, "And order 18?", trigger=Run.Trigger.API)
    listed = ask(cast.bob, "GET", "runs/?agent=clerk&limit=1").json()
    assert [one["id"] for one in listed["data"]] == [other.public_id] and listed["next"]
    for query, found in (
        ("state=waiting", [run]),
        ("state=open", [other]),
        ("state=queued", [other]),
        ("trigger=console", [run]),
        ("team=team-a", [other, run]),
        ("agent=nobody", []),
    ):
        data = ask(cast.bob, "GET", f"runs/?{query}").json()["data"]
        assert [one["id"] for one in data] == [one.public_id for one in found], query
    assert ask(cast.bob, "GET", "runs/?state=gone").json()["error"]["param"] == "state"

    shown = ask(cast.bob, "GET", f"runs/{run.public_id}/").json()
    assert (shown["agent"], shown["version"], shown["state"], shown["input"]) == (
        "clerk",
        1,
        "waiting",
        {"message": "Where is order 17?"},
    )
    assert [(step["kind"], step["tool"], step["arguments"]) for step in shown["steps"]] == [
        ("model", "", None),
        ("tool", "look_up", {"order": "17"}),
        ("tool", "refund", {"order": "17", "amount": 12}),
    ]
    assert shown["steps"][0]["output"]["message"]["content"] == "I look first."
    assert shown["approvals"] == [str(Approval.objects.get().pk)]
    # Who may watch and not read content sees what happened, not what was said; a member sees their own only.
    blind = ask(anna, "GET", f"runs/{run.public_id}/").json()
    assert (blind["input"], blind["title"], blind["limits"]["steps"]) == (None, "Where is order 17?", 20)
    assert {(step["arguments"], step["output"]) for step in blind["steps"]} == {(None, None)}
    member = make.make_member(cast.team_a, role=Role.MEMBER)
    assert ask(member, "GET", f"runs/{run.public_id}/").status_code == 404
    assert ask(cast.charlie, "GET", f"runs/{run.public_id}/").status_code == 404

    pair = ask(cast.bob, "GET", f"runs/{other.public_id}/compare/").json()
    assert (pair["old"]["id"], pair["new"]["id"]) == (run.public_id, other.public_id)
    assert pair["steps"][1]["old"]["tool"] == "look_up" and pair["steps"][1]["new"] is None
    assert {"name": "Steps", "old": 2, "new": 0} in pair["figures"]
    assert ask(cast.bob, "GET", f"runs/{run.public_id}/compare/?with=run_x").status_code == 404


def test_runs_are_started_tried_out_stopped_and_run_again(agent, cast):
    started = ask(cast.bob, "POST", "runs/", {"agent": "clerk", "input": {"message": "Hi"}}, **{"Idempotency-Key": "1"})
    assert started.status_code == 201, started.text
    again = ask(cast.bob, "POST", "runs/", {"agent": "clerk", "input": {"message": "Hi"}}, **{"Idempotency-Key": "1"})
    assert again.json()["id"] == started.json()["id"] and Run.objects.count() == 1
    first = Run.objects.get()
    assert (first.trigger, first.environment, first.actor_name) == ("api", "production", "Bob")
    refused = ask(cast.bob, "POST", "runs/", {"agent": "clerk", "input": {"words": "Hi"}})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")
    assert ask(cast.bob, "POST", "runs/", {"agent": "clerk", "draft": True}).status_code == 403
    assert ask(cast.bob, "POST", "runs/", {"agent": "clerk", "simulated": True}).json()["error"]["param"] == "draft"
    body = {"agent": "clerk", "input": {"message": "Hi"}, "draft": True, "simulated": True, "step_by_step": True}
    tried = ask(cast.alice, "POST", "runs/", body).json()
    assert (tried["version"], tried["trigger"], tried["is_simulated"], tried["is_step_by_step"]) == (
        None,
        "try_out",
        True,
        True,
    )
    assert ask(cast.alice, "POST", f"runs/{tried['id']}/again/").status_code == 409

    sandbox = key(cast, "models:call", environment="sandbox")
    body = {"agent": "clerk", "input": {"message": "Hi"}, "environment": "production"}
    assert ask(sandbox, "POST", "runs/", body).status_code == 403
    assert ask(key(cast, "prompts:write"), "POST", "runs/", body).status_code == 403
    mine = ask(key(cast, "models:call"), "POST", "runs/", body, **{"x-facet-run": first.public_id}).json()
    assert mine["called_by"] == first.public_id and mine["started_by"].startswith("key")

    path = f"runs/{first.public_id}"
    stopped = ask(cast.bob, "POST", f"{path}/cancel/").json()
    assert (stopped["state"], stopped["error"]["code"]) == ("cancelled", "cancelled")
    assert ask(cast.bob, "POST", f"{path}/cancel/").json()["state"] == "cancelled"
    make.make_step(first, kind="model", state="done", tool_name="", output={"message": {"content": "One"}})
    repeated = ask(cast.bob, "POST", f"{path}/again/").json()
    assert repeated["again"] == {"run": first.public_id, "step": None} and repeated["input"] == {"message": "Hi"}
    from_step = ask(cast.bob, "POST", f"{path}/again/", {"step": 1})
    assert from_step.json()["again"] == {"run": first.public_id, "step": 1}, from_step.text
    assert ask(cast.bob, "POST", f"{path}/again/", {"step": 9}).json()["error"]["code"] == "unknown_step"


def test_a_run_is_asked_by_people_and_keeps_what_it_said(shop):
    made = shop.run(wants(("count", {"what": "cups"})), words("Three."))
    shop.says(words("I counted in [2]."))
    answer = ask(shop.ada, "POST", f"runs/{made.public_id}/questions/", {"question": "Why three?"})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["steps"], answer.json()["asked_by_name"]) == ([2], "Ada")
    line = AuditEvent.objects.get(type="question")
    assert line.client_request_id == made.public_id, "the log finds it with the rest of the run"
    listed = ask(shop.ada, "GET", f"runs/{made.public_id}/questions/").json()["data"]
    assert [one["question"] for one in listed] == ["Why three?"] and RunQuestion.objects.count() == 1
    text = make.make_key(shop.world.team, owner=make.make_member(shop.world.team, role=Role.OWNER), scopes=[
        "models:call", "audit:read", "audit:content",
    ])[1]  # fmt: skip
    refused = ask(text, "POST", f"runs/{made.public_id}/questions/", {"question": "Why?"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "person_required")
    assert ask(text, "GET", f"runs/{made.public_id}/questions/").status_code == 200
    assert ask(shop.anna, "GET", f"runs/{made.public_id}/questions/").status_code == 403


def test_approvals_are_seen_exactly_and_decided_once_by_people(run, agent, anna, cast):  # noqa: F811
    approval = Approval.objects.get()
    path = f"approvals/{approval.pk}/"
    inbox = ask(anna, "GET", "approvals/?mine=true&state=waiting").json()["data"]
    assert [one["id"] for one in inbox] == [str(approval.pk)] and inbox[0]["why_not"] == ""
    assert ask(cast.bob, "GET", "approvals/?mine=true").json()["data"] == []
    for query in ("state=approved", "kind=question", "agent=other"):
        assert ask(anna, "GET", f"approvals/?{query}").json()["data"] == [], query
    assert ask(anna, "GET", "approvals/?state=odd").json()["error"]["param"] == "state"

    shown = ask(anna, "GET", path).json()
    assert (shown["tool"], shown["arguments"], shown["editable"]) == (
        "refund",
        {"order": "17", "amount": 12},
        ["amount"],
    )
    assert (shown["run"], shown["requested_by"], shown["last_approved"]) == (run.public_id, "Bob", None)
    assert shown["reason"] == "The parcel is lost." and len(shown["sha256"]) == 64
    assert ask(cast.charlie, "GET", path).status_code == 404
    watching = ask(key(cast, "audit:read"), "GET", path).json()
    assert watching["arguments"] is None and "people" in watching["why_not"]
    assert (watching["reason"], watching["form"]) == (None, None), "what the model said is content, too"
    assert ask(key(cast, "audit:read", "audit:content"), "GET", path).json()["arguments"]["amount"] == 12

    seen = {"decision": "approve", "sha256": shown["sha256"]}
    assert ask(cast.bob, "POST", f"{path}decide/", seen).status_code == 403
    assert ask(key(cast, "prompts:review"), "POST", f"{path}decide/", seen).status_code == 403
    assert ask(anna, "POST", f"{path}decide/", seen | {"sha256": "0" * 64}).status_code == 409
    odd = ask(anna, "POST", f"{path}decide/", seen | {"arguments": {"order": "18", "amount": 12}})
    assert odd.json()["error"]["param"] == "edited_arguments.order"
    longer = ask(anna, "POST", f"{path}extend/", {"seconds": 7200}).json()
    assert longer["expires_at"] > shown["expires_at"]
    headers = {"Idempotency-Key": "a"}
    edited = seen | {"arguments": {"order": "17", "amount": 10}, "message": "Ten is enough."}
    for _ in range(2):
        done = ask(anna, "POST", f"{path}decide/", edited, **headers)
        assert done.status_code == 200, done.text
        assert (done.json()["state"], done.json()["arguments"]) == ("approved", {"order": "17", "amount": 10})
    late = ask(cast.alice, "POST", f"{path}decide/", {"decision": "reject", "sha256": done.json()["sha256"]})
    assert late.status_code == 409 and "Anna approved this" in late.json()["error"]["message"]
    assert AuditEvent.objects.filter(action="approval.decided").count() == 1
    assert Step.objects.get(tool_name="refund").arguments["amount"] == 10

    step = make.make_step(run, arguments={"order": "19"})
    second = make.make_approval(run, step, arguments={"order": "19"})
    path = f"approvals/{second.pk}/"
    assert ask(anna, "GET", path).json()["last_approved"]["arguments"] == {"order": "17", "amount": 10}
    assert ask(cast.bob, "GET", path).json()["last_approved"]["arguments"]["amount"] == 10, "it was Bob's run, too"
    # Whoever starts a shared agent for another team learns nothing of what others had it do.
    agent.audience = Audience.ORGANISATION
    agent.save()
    theirs = make.make_run(agent, cast.charlie, "And mine?")
    third = make.make_approval(theirs, make.make_step(theirs, arguments={"order": "5"}), arguments={"order": "5"})
    assert ask(cast.charlie, "GET", f"approvals/{third.pk}/").json()["last_approved"] is None
    page = client_of(cast.charlie).get(f"/approvals/{third.pk}/").text
    assert "order" in page and "Anna" not in page
    no = {"decision": "reject", "sha256": second.sha256, "message": "Not this one."}
    assert ask(anna, "POST", f"{path}decide/", no | {"arguments": {}}).json()["error"]["param"] == "arguments"
    assert ask(anna, "POST", f"{path}decide/", no).json()["message"] == "Not this one."


def test_several_approvals_are_decided_each_by_itself(run, agent, anna, cast):  # noqa: F811
    first = Approval.objects.get()
    second, third = (make.make_approval(make.make_run(agent, cast.bob)) for _ in range(2))
    yes = [{"id": str(one.pk), "decision": "approve", "sha256": one.sha256} for one in (first, second)]
    no = {"id": str(third.pk), "decision": "reject", "sha256": third.sha256}
    for body, param in (
        ({"decisions": []}, "decisions"),
        ({"decisions": [yes[0], yes[0]]}, "decisions"),
        ({"decisions": [no | {"arguments": {}}]}, "decisions.0.arguments"),
    ):
        assert ask(anna, "POST", "approvals/decide/", body).json()["error"]["param"] == param
    assert ask(key(cast, "prompts:review"), "POST", "approvals/decide/", {"decisions": yes}).status_code == 403
    assert not ask(cast.bob, "POST", "approvals/decide/", {"decisions": yes}).json()["decided"]
    tried = AuditEvent.objects.filter(action="request.refused", actor_id=cast.bob.pk, team_id=agent.team_id)
    assert {(one.target_id, one.status, one.http_status) for one in tried} == {
        (str(one.pk), "refused", 403) for one in (first, second)
    }
    unknown = yes[0] | {"id": str(run.pk)}
    said = ask(anna, "POST", "approvals/decide/", {"decisions": [unknown, yes[0], yes[1] | {"sha256": "0"}, no]}).json()
    assert said["decided"] == [str(first.pk), str(third.pk)]
    assert {one["id"]: one["code"] for one in said["refused"]} == {
        str(run.pk): "unknown_approval",
        str(second.pk): "already_decided",
    }
    assert AuditEvent.objects.filter(action="approval.decided").count() == 2


def test_triggers_are_made_switched_renewed_and_removed(agent, cast):
    text = key(cast, "prompts:write", "models:call")
    queue = make.make_queue(cast.team_a, "work")
    assert queue.slug == "work"
    path = "agents/clerk/triggers/"
    hook = ask(text, "POST", path, {"kind": "webhook", "name": "Alerts", "config": {"source": "grafana"}})
    assert hook.status_code == 201, hook.text
    made = Trigger.objects.get()
    assert hook.json()["secret"] == decrypt(made.secret) and hook.json()["address"].endswith(f"/hooks/{made.pk}/")
    assert (made.owner, hook["Cache-Control"]) == (cast.alice, "no-store")
    cron = {"kind": "schedule", "name": "Daily", "config": {"cron": "0 7 * * *", "time_zone": "Asia/Tokyo"}}
    headers = {"Idempotency-Key": "t"}
    first, same = (ask(text, "POST", path, cron, **headers).json() for _ in range(2))
    assert first["id"] == same["id"] and first["next_at"] and first["secret"] is None
    ask(text, "POST", path, {"kind": "queue", "name": "Work", "config": {"queue": "work", "input": {"tone": "kind"}}})
    listed = ask(text, "GET", path).json()["data"]
    assert [one["kind"] for one in listed] == ["queue", "schedule", "webhook"]
    assert all("secret" not in one for one in listed) and listed[2]["has_secret"] is True
    wrong = ask(text, "POST", path, cron | {"config": {"cron": "often"}})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "cron")
    scope = ask(key(cast, "prompts:write"), "POST", path, cron)
    assert scope.status_code == 403 and "models:call" in scope.json()["error"]["message"]
    assert ask(cast.bob, "POST", path, cron).status_code == 403

    one = f"{path}{first['id']}/"
    off = ask(text, "PATCH", one, {"is_enabled": False, "config": {"cron": "0 8 * * *"}}).json()
    assert (off["is_enabled"], off["next_at"], off["config"]["cron"]) == (False, None, "0 8 * * *")
    renewed = ask(text, "POST", f"{path}{made.pk}/renew/", **{"Idempotency-Key": "r"}).json()
    assert renewed["secret"] != hook.json()["secret"] and ask(text, "POST", f"{one}renew/").status_code == 400
    assert ask(text, "POST", f"{path}{made.pk}/renew/", **{"Idempotency-Key": "r"}).json() == {"secret": None}
    Firing.objects.create(trigger=made, key="a1", state="parked", body={"order": 17}, trouble="It failed 5 times.")
    fired = ask(text, "GET", f"{path}{made.pk}/firings/").json()["data"]
    assert [(row["key"], row["state"], row["body"]) for row in fired] == [("a1", "parked", None)]
    assert ask(cast.alice, "GET", f"{path}{made.pk}/firings/").json()["data"][0]["body"] == {"order": 17}
    assert ask(text, "DELETE", one).status_code == 204
    assert ask(text, "GET", one).json()["error"]["code"] == "unknown_trigger"
    told = " ".join(str(line.detail) for line in AuditEvent.objects.all())
    assert renewed["secret"] not in told and hook.json()["secret"] not in told


def test_versions_are_compared_in_wording_grants_and_limits_by_program_and_on_the_page(agent, cast):
    prompt = make.make_prompt(cast.team_a, "clerk/other", "Refund at once.\nAsk nobody.", live=None)
    make.publish(prompt, label="bold")
    grants = [{"tool": "look_up"}]
    make.publish_agent(agent, prompt_slug=prompt.slug, prompt_label="bold", grants=grants, limits={"steps": 7})
    found = ask(cast.alice, "GET", "agents/clerk/compare/?a=1&b=2").json()
    rows = {one["name"]: (one["was"], one["now"]) for one in found["differences"]}
    assert rows["Instructions"] == ("Answer briefly.", "Refund at once.\nAsk nobody.")
    assert rows["Steps per run"] == ("", "7") and rows["Tool refund"][1] == "" and "editable" in rows["Tool refund"][0]
    assert rows["Prompt"][1] == "clerk/other:bold"
    assert ask(cast.alice, "GET", "agents/clerk/compare/").json() == {"a": "2", "b": "draft", "differences": []}
    assert ask(cast.alice, "GET", "agents/clerk/compare/?a=x").json()["error"]["param"] == "a"
    moves = ask(cast.alice, "GET", "agents/clerk/moves/").json()["data"]
    assert [(one["was"], one["to"]) for one in moves] == [(1, 2), (None, 1)]
    page = client_of(cast.alice).get("/agents/clerk/compare/?a=1&b=2").text
    words = re.sub(r"<[^>]+>", "", page)
    assert "removed: Answer briefly." in words and "added: Refund at once." in words and "Ask nobody." in words
    assert "Tool refund" in page and "Steps per run" in page
