"""Starting an agent from a template: what it fills in, what it makes, and what it says is missing."""

import html
import re
import shlex

import pytest

from agents_app.agent_templates import TEMPLATES
from agents_app.definition import checked
from agents_app.models import Agent, AgentVersion, Run, Tool
from agents_app.readiness import problems
from agents_app.tools.registry import KINDS
from console.audit.models import AuditEvent
from prompts_app.models import Prompt
from prompts_app.services.labels import set_rule
from prompts_app.services.prompts import change_prompt
from tests import make


@pytest.fixture
def builder(signed_in, bella):
    return signed_in(bella)


@pytest.fixture
def able(cast):
    """An alias whose model can call tools, beside one whose model cannot."""
    make.make_alias("small", production=make.make_model("small-model"))
    return make.make_alias("able", production=make.make_model("able-model", capabilities=["chat", "tools"]))


def start(builder, which, **typed):
    fields = {"template": which, "name": TEMPLATES[which].name, "slug": which, "team": "team-a"}
    return builder.post("/agents/new/", fields | typed)


def test_every_template_is_an_agent_that_could_be(cast):
    for template in TEMPLATES.values():
        kept = checked(
            {
                "grants": template.grants,
                "limits": dict(template.limits),
                "input_schema": template.input_schema,
                "output_schema": template.output_schema,
            }
        )
        assert kept["grants"] and kept["output_schema"]
        assert all(need.kind in {"", *KINDS} for need in template.tools)


def test_it_shows_templates_where_there_is_no_agent_and_on_the_new_page(builder, able):
    for path in ("/agents/", "/agents/new/"):
        page = builder.get(path).text
        assert all(template.sentence in page for template in TEMPLATES.values())
    page = builder.get("/agents/new/?template=log-watcher&team=team-a").text
    assert 'value="Log watcher"' in page and "You have to create it" in page and "restart_service" in page
    assert "From scratch" in builder.get("/agents/new/?template=unheard").text


def test_it_is_ready_to_publish_when_all_it_counts_on_is_built_in(builder, cast, able):
    made = start(builder, "support-triage")
    assert made["Location"] == "/agents/support-triage/edit/"
    agent = Agent.objects.get()
    draft = agent.draft
    assert (draft.alias, draft.prompt_slug) == ("able", "team-a/support-triage")
    assert draft.input_schema["required"] == ["subject", "text"] and draft.limits["steps"] == 8
    assert Tool.objects.get(team=cast.team_a).kind == "person"
    assert problems(agent.team, draft) == []
    actions = set(AuditEvent.objects.filter(type="admin").values_list("action", flat=True))
    assert {"agent.created", "tool.created", "prompt.created", "prompt.published"} <= actions
    builder.post("/agents/support-triage/publish/", {"seen_revision": draft.revision, "seen_live": 0, "message": "one"})
    assert AgentVersion.objects.get().grants == [{"tool": "ask_person", "most_calls": 1}]
    # What a run is given stands in the order the schema needs it in, which the database keeps of no other fields.
    page = html.unescape(builder.get("/agents/support-triage/").text)
    assert "/v1/agents/support-triage/runs " in page and '{"input": {"subject": "…", "text": "…"}}' in page
    assert "No opening message" not in page
    page = builder.get("/agents/support-triage/run/").text
    assert page.index('name="answer-subject"') < page.index('name="answer-text"')
    builder.post(
        "/agents/support-triage/run/", {"answer-subject": "A bill", "answer-text": "Twice.", "environment": "sandbox"}
    )
    assert Run.objects.get().title == "A bill"
    whoevers = {"type": "object", "properties": {"it's": {"type": "string"}}, "required": ["it's"]}
    make.make_agent(cast.team_a, "whoevers", alias="able", grants=[{"tool": "ask_person"}], input_schema=whoevers)
    page = html.unescape(builder.get("/agents/whoevers/").text)
    assert shlex.quote('{"input": {"it\'s": "…"}}') in page, "what is copied is one word to a shell"


def test_it_says_which_tools_are_the_teams_to_make(builder, cast, able):
    make.make_tool(cast.team_a, "service_status")
    start(builder, "log-watcher")
    page = builder.get("/agents/log-watcher/edit/").text
    assert "There is no tool &#x27;restart_service&#x27; in Team A. It should restart a service by its name" in page
    assert "service_status&#x27; in Team A" not in page
    assert 'value="make:restart_service"' in page and "make:service_status" not in page
    # What is typed is saved before the tool is made, and its page leads back to the draft.
    agent = Agent.objects.get()
    typed = {"seen_revision": agent.draft.revision, "prompt_slug": agent.draft.prompt_slug, "alias": "able"}
    more = {"opening_message": "Hello", "do": "make:restart_service"}
    make_it = builder.post("/agents/log-watcher/edit/", typed | more)["Location"]
    assert make_it == "/tools/new/?team=team-a&slug=restart_service&kind=http&agent=log-watcher"
    assert Agent.objects.get().draft.opening_message == "Hello"
    offered = builder.get(make_it).text
    assert 'value="restart_service"' in offered and 'value="Restart service"' in offered
    assert "Restarts a service, by its name" in offered and re.search(r'value="write"[^>]* checked', offered)
    reading = builder.get("/tools/new/?team=team-a&slug=service_status&kind=http&agent=log-watcher").text
    assert "Says how a service is" in reading and re.search(r'value="read"[^>]* checked', reading)
    tool = {
        **{"name": "Restart", "slug": "restart_service", "team": "team-a", "effect": "write"},
        **{"description": "Restarts.", "timeout_seconds": "5", "most_bytes": "5000", "method": "POST"},
        "encoding": "json",
        "url": "https://ops.example.com/{service}/restart",
    }
    assert builder.post(make_it, tool)["Location"] == "/agents/log-watcher/edit/"
    agent = Agent.objects.get()
    assert problems(agent.team, agent.draft) == []
    assert agent.draft.grants[1] == {"tool": "restart_service", "mode": "ask", "most_calls": 1}


def test_it_leaves_the_alias_open_when_it_cannot_know_it(builder, cast, able):
    make.make_alias("other", production=make.make_model("other-model", capabilities=["chat", "tools"]))
    start(builder, "campaign-planner")
    agent = Agent.objects.get()
    assert agent.draft.alias == ""
    found = " ".join(problems(agent.team, agent.draft))
    assert "Choose the alias" in found and "'write_section'" in found and "'store_piece'" in found
    assert not Tool.objects.exists()
    # Once it is chosen, the tool that asks a model begins with it, and names what there is.
    typed = {"seen_revision": agent.draft.revision, "prompt_slug": agent.draft.prompt_slug, "alias": "other"}
    make_it = builder.post("/agents/campaign-planner/edit/", typed | {"do": "make:write_section"})["Location"]
    page = builder.get(make_it).text
    assert re.search(r'name="alias" value="other"', page) and "Have one section of the campaign written." in page
    assert '<option value="able">' in page and '<option value="team-a/campaign-planner">' in page


def test_it_keeps_what_the_team_has_and_what_it_requires(builder, cast, able):
    own = make.make_tool(cast.team_a, "write_section", description="Ours.")
    style = make.make_prompt(cast.team_a, "house/style", "Be brief.", kind="partial")
    change_prompt(actor=make.actor_for(cast.alice), prompt=style, is_required=True, covers=[cast.team_a])
    set_rule(actor=make.actor_for(cast.alice), team=cast.team_a, label="production", needs_review=True)
    start(builder, "campaign-planner")
    own.refresh_from_db()
    assert own.description == "Ours." and Tool.objects.count() == 1
    prompt = Prompt.objects.get(slug="team-a/campaign-planner")
    assert prompt.head.content[0]["text"].endswith("{{> house/style}}")
    # Production is protected, so somebody else reviews the instructions first.
    assert [label.name for label in prompt.labels.all()] == ["staging"]
    agent = Agent.objects.get()
    assert any("production" in problem for problem in problems(agent.team, agent.draft))


def test_it_refuses_by_field_and_keeps_nothing(builder, cast, able):
    make.make_prompt(cast.team_a, "team-a/taken")
    for typed, said in (
        ({"template": "unheard"}, "There is no template"),
        ({"slug": "taken"}, "There is a prompt team-a/taken already"),
        ({"slug": "templates"}, "address of a page"),
    ):
        answer = start(builder, "log-watcher", **typed)
        assert answer.status_code == 422 and said in answer.text
    assert not Agent.objects.exists() and Prompt.objects.count() == 1


def test_strangers_start_nothing_in_it(signed_in, cast):
    assert start(signed_in(cast.charlie), "log-watcher").status_code == 422
    assert start(signed_in(cast.bob), "log-watcher").status_code == 403
    assert not Agent.objects.exists()
