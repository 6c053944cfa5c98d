"""/api/agents/…: what the pages do, for programs."""

import pytest

from agents_app.models import Agent
from tests import make
from tests.programs import Program


@pytest.fixture
def api(cast):
    """Call the API with a key of Team A that may build."""
    _, text = make.make_key(cast.team_a, scopes=["prompts:write", "models:call"], owner=cast.alice)

    return Program(text, below="agents/")


def test_it_builds_publishes_and_rolls_back(api, cast):
    make.make_alias("support-chat", production=make.make_model())
    make.make_prompt(cast.team_a, "shop/voice")
    made = api("POST", body={"team": "team-a", "slug": "helper", "name": "Helper", "alias": "support-chat"})
    assert made.status_code == 201, made.text
    assert made.json()["model"] == "agent:helper" and made.json()["live"] is None
    draft = api("GET", "helper/draft/").json()
    assert draft["problems"] == ["Choose the prompt with its instructions."]
    refused = api("POST", "helper/publish/", {"revision": draft["revision"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "agent_not_ready")
    saved = api("PATCH", "helper/draft/", {"revision": draft["revision"], "prompt_slug": "shop/voice"}).json()
    assert saved["problems"] == [] and saved["alias"] == "support-chat"
    stale = api("PATCH", "helper/draft/", {"revision": draft["revision"], "alias": "x"})
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "stale_agent")
    first = api("POST", "helper/publish/", {"revision": saved["revision"], "live": 0, "message": "first"})
    assert (first.status_code, first.json()["number"], first.json()["message"]) == (201, 1, "first")
    draft = api("GET", "helper/draft/").json()
    draft = api("PATCH", "helper/draft/", {"revision": draft["revision"], "opening_message": "Hello"}).json()
    assert api("POST", "helper/publish/", {"revision": draft["revision"]}).json()["number"] == 2
    shown = api("GET", "helper/").json()
    assert shown["live"] == 2
    back = api("POST", "helper/roll-back/", {"to": 1, "reason": "too chatty", "revision": shown["revision"]})
    assert back.json()["live"] == 1, back.text
    assert [one["number"] for one in api("GET", "helper/versions/").json()["data"]] == [2, 1]
    assert api("GET", "helper/versions/2/").json()["opening_message"] == "Hello"
    assert api("GET", "helper/versions/9/").status_code == 404
    assert api("GET", "helper/where-used/").json() == {"data": [], "hidden": 0}
    changed = api("PATCH", "helper/", {"audience": "organisation"}).json()
    assert changed["audience"] == "organisation"
    late = api("PATCH", "helper/", {"name": "Late", "seen_revision": changed["settings_revision"] - 1})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")
    agent = Agent.objects.get(slug="helper")
    agent.shared_with.set([cast.team_b])
    shared = api("PATCH", "helper/", {"audience": "teams", "shared_with": []}).json()
    assert shared["shared_with"] == [] and list(agent.shared_with.all()) == [cast.team_b], "teams one does not see stay"
    assert [one["slug"] for one in api("GET", "?team=team-a").json()["data"]] == ["helper"]
    assert api("DELETE", "helper/").status_code == 204 and api("GET", "helper/").status_code == 404


def test_it_starts_from_a_template(api, cast):
    make.make_alias("able", production=make.make_model(capabilities=["chat", "tools"]))
    listed = {one["slug"]: one for one in api("GET", "templates/").json()["data"]}
    assert [tool["slug"] for tool in listed["log-watcher"]["tools"]] == ["service_status", "restart_service"]
    body = {"team": "team-a", "slug": "triage", "template": "support-triage", "limits": {"steps": 5}}
    made = api("POST", body=body)
    assert made.status_code == 201, made.text
    assert made.json()["name"] == "Support triage"
    draft = api("GET", "triage/draft/").json()
    assert draft["problems"] == [] and draft["limits"] == {"steps": 5} and draft["alias"] == "able"
    for wrong, param in (({"template": "unheard"}, "template"), ({}, "name")):
        answer = api("POST", body={"team": "team-a", "slug": "other", **wrong})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_it_refuses_by_name_and_shows_strangers_no_more_than_they_may_use(api, cast):
    make.make_agent(cast.team_a, "helper", audience="organisation")
    _, theirs = make.make_key(cast.team_b, scopes=["models:call"])
    assert Program(theirs, below="agents/")("GET", "helper/").json()["model"] == "agent:helper"
    for path in ("helper/draft/", "helper/versions/", "helper/where-used/"):
        assert Program(theirs, below="agents/")("GET", path).status_code == 403, path
    for body, param in (({"steps": 3}, "steps"), ({"parameters": {"temperature": 9}}, "parameters.temperature")):
        revision = api("GET", "helper/draft/").json()["revision"]
        refused = api("PATCH", "helper/draft/", {"revision": revision, **body})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), refused.text
    refused = api("POST", body={"team": "team-b", "slug": "x", "name": "X"})
    assert refused.status_code == 404, "a key of Team A sees no Team B"
