"""Agents, tools, tool servers, queues, triggers and widgets in a configuration file, there and back."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.management import CommandError, call_command

from agents_app.models import Agent, AgentVersion, Broker, Queue, Tool, ToolServer, Trigger, TriggerToken
from agents_app.services.drafts import save_draft
from console.audit.models import AuditEvent
from console.catalog.models import Provider
from console.chat.models import Widget
from console.core.crypto import decrypt
from console.gateway import sync
from console.knowledge.services.collections import create_collection
from console.pages.configuration.apply import parse
from console.pages.configuration.document import plain, read
from console.pages.configuration.shape import json_schema
from console.teams import keys
from console.teams.actors import SYSTEM
from prompts_app.models import Label, Prompt
from tests import make, sdks
from tests.agents.tools.mcp_server import served
from tests.configuration.conftest import exported, problems_of
from usage_app.models import Quota

pytestmark = pytest.mark.django_db
DOCS = Path(__file__).resolve().parents[2] / "docs"

EXAMPLE = """\
teams:
  - slug: support
    name: Support
    members:
      - {email: ada@example.com, role: owner}
    quotas:
      - {metric: cost, window: day, limit: 2.5, agent: helper}
      - {metric: requests, window: hour, limit: 60, widget: Shop}
  - {slug: sales}
queues:
  - {slug: returns, team: support, name: Returns, lease_seconds: 60, secret: {env: RETURNS_SECRET},
     callback_addresses: ["https://shop.example/results"]}
brokers:
  - {slug: rabbit, team: support, url: {env: RABBIT_URL}}
tool_servers:
  - {slug: crm, team: support, address: "https://crm.example/mcp", secret: {env: CRM_SECRET}, is_enabled: false}
tools:
  - slug: refund
    team: support
    kind: http
    description: Pays an order back.
    config:
      method: POST
      url: https://shop.example/orders/{order}/refund
      secret: {in: header, name: Authorization, prefix: "Bearer "}
    parameters:
      type: object
      properties: {order: {type: string}, sum: {type: number}}
      required: [order, sum]
    secret: {env: SHOP_SECRET}
    is_idempotent: true
    timeout_seconds: 12
  - {slug: put_aside, team: support, kind: queue, config: {queue: returns, action: put}, is_enabled: false}
agents:
  - slug: helper
    team: support
    name: Helper
    description: Answers customers.
    audience: teams
    shared_with: [sales]
    prompt: support/helper
    instructions: |
      Help the customer of {{company}}.

      Be brief.
    prompt_variables: {company: Acme}
    alias: support-chat
    parameters: {temperature: 0.2}
    limits: {steps: 12, cost: 0.5}
    knowledge: [handbook]
    opening_message: Hello!
    suggested_questions: ["Where is my order?"]
    grants:
      - tool: refund
        mode: ask
        arguments: {sum: {max: 100}}
        editable: [sum]
        rules:
          - {id: small, effect: allow, when: {sum: {max: 5}}}
    output_schema: {type: object, properties: {answer: {type: string}}, required: [answer]}
    triggers:
      - {name: Each morning, kind: schedule, owner: ada@example.com, config: {cron: 0 7 * * *, time_zone: Asia/Tokyo}}
      - {name: Alerts, kind: webhook, owner: ada@example.com, secret: {env: HOOK_SECRET}, config: {source: grafana}}
      - {name: Work, kind: queue, owner: ada@example.com, config: {queue: returns}, is_enabled: false}
      - name: Orders
        kind: queue
        owner: ada@example.com
        config: {broker: rabbit, queue: orders, result_queue: orders.done, input: {tone: kind}}
widgets:
  - name: Shop
    team: support
    agent: plain
    greeting: Hi there
    origins: ["https://shop.example"]
    limits: {visitor_day: 10, cost_day: 2.5}
    identity_secret: {value: sixteen-characters-and-more}
    needs_identity: true
"""
PLAIN = """\
  - slug: plain
    team: support
    instructions: Answer.
    alias: support-chat
"""
FILE = EXAMPLE.replace("widgets:\n", f"{PLAIN}widgets:\n")
SECRETS = {
    **{"CRM_SECRET": "crm-0123456789", "SHOP_SECRET": "shop-0123456789abc", "HOOK_SECRET": "hook-0123456789abc"},
    **{"RETURNS_SECRET": "returns-0123456789abc", "RABBIT_URL": "redis://:hunter2hunter2@127.0.0.1:1/0"},
    # What an export calls them.
    **{
        "SUPPORT_RETURNS_SECRET": "returns-0123456789abc",
        "SUPPORT_RABBIT_SECRET": "redis://:hunter2hunter2@127.0.0.1:1/0",
    },
    **{"SUPPORT_CRM_SECRET": "crm-0123456789", "SUPPORT_REFUND_SECRET": "shop-0123456789abc"},
    **{"HELPER_ALERTS_SECRET": "hook-0123456789abc", "SUPPORT_SHOP_SECRET": "sixteen-characters-and-more"},
}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    make.make_alias("support-chat", production=make.make_model(capabilities=["chat", "tools"]))
    create_collection(actor=SYSTEM, team=None, slug="handbook", name="Handbook")


def test_it_makes_agents_with_all_they_need_and_changes_only_what_differs(run: Any) -> None:
    said = run(FILE, "--dry-run")
    assert "+ agent     helper  (name Helper" in said and not Agent.objects.exists() and "<script" not in said

    said = run(FILE)
    agent = Agent.objects.select_related("live", "draft").get(slug="helper")
    assert agent.live is not None and agent.live.number == 1 and agent.live.message == "Applied from facet.yaml"
    limits = {"steps": 12, "cost_micros": 500_000}
    assert (agent.live.limits, agent.live.parameters) == (limits, {"temperature": 0.2})
    assert agent.live.knowledge == ["handbook"]
    assert agent.live.grants[0]["rules"] == [{"id": "small", "effect": "allow", "when": {"sum": {"max": 5}}}]
    assert [team.slug for team in agent.shared_with.all()] == ["sales"]
    prompt = Prompt.objects.get(slug="support/helper")
    assert prompt.head and prompt.head.content[0]["text"].startswith("Help the customer of {{company}}.\n\nBe")
    assert {label.name for label in prompt.labels.all()} == {"production", "staging"}
    tool = Tool.objects.get(slug="refund")
    assert (decrypt(tool.secret), tool.is_idempotent, tool.timeout_seconds) == ("shop-0123456789abc", True, 12)
    assert not Tool.objects.get(slug="put_aside").is_enabled
    assert decrypt(ToolServer.objects.get().secret) == "crm-0123456789" and Queue.objects.get().lease_seconds == 60
    hook = Trigger.objects.get(kind="webhook")
    assert decrypt(hook.secret) == "hook-0123456789abc" and hook.owner and hook.owner.email == "ada@example.com"
    assert f"/hooks/{hook.pk}/" in said and "shown this once" not in said
    assert (
        not Trigger.objects.get(name="Work").is_enabled
        and decrypt(Queue.objects.get().secret) == SECRETS["RETURNS_SECRET"]
    )
    outside = Trigger.objects.get(name="Orders")
    assert (outside.config["broker"], outside.config["at_once"], outside.config["input"]) == (
        "rabbit",
        10,
        {"tone": "kind"},
    )
    assert "hunter2" not in Broker.objects.get().address
    widget = Widget.objects.get()
    assert widget.needs_identity and widget.limits == {"visitor_day": 10, "cost_day_micros": 2_500_000}
    assert f"/embed/{widget.public_id}.js" in said
    told = " ".join(str(line.detail) for line in AuditEvent.objects.all()) + said
    assert not any(secret in told for secret in SECRETS.values())
    lines = {line.action for line in AuditEvent.objects.all()}
    assert {"agent.created", "agent.published", "tool.created", "trigger.created", "widget.created"} <= lines

    limits = {quota.of: quota for quota in Quota.objects.all()}
    assert limits.keys() == {"agent helper", "widget Shop"} and limits["widget Shop"].widget_id == widget.pk

    count = AuditEvent.objects.count()
    assert "0 to create, 0 to change" in run(FILE) and AuditEvent.objects.count() == count

    said = run(
        FILE.replace("steps: 12", "steps: 15")
        .replace("Be brief.", "Be kind.")
        .replace("0 7 * * *", "0 8 * * *")
        .replace("timeout_seconds: 12", "timeout_seconds: 13")
        .replace("Hi there", "Good day")
        .replace("lease_seconds: 60", "lease_seconds: 90")
    )
    assert '    limits: {"steps": 12, "cost": 0.5} → {"steps": 15, "cost": 0.5}' in said
    assert "= agent     plain" in said and "= trigger   helper: Alerts" in said and "6 to change" in said
    assert "~ prompt    support/helper" in said and "~ trigger   helper: Each morning" in said
    assert AgentVersion.objects.filter(agent=agent).count() == 2
    assert Label.objects.get(prompt=prompt, name="production").version.number == 2


def test_what_it_exports_it_takes_here_and_elsewhere(run: Any) -> None:
    run(FILE)
    text = exported()
    assert not any(secret in text for secret in SECRETS.values())
    assert "    text: |-\n      Help the customer of {{company}}.\n\n      Be brief.\n" in text
    document = yaml.safe_load(text)
    helper = next(one for one in document["agents"] if one["slug"] == "helper")
    assert (helper["prompt"], helper["limits"]) == ("support/helper", {"steps": 12, "cost": 0.5})
    assert "instructions" not in helper
    assert helper["triggers"][0] == {
        "name": "Alerts", "kind": "webhook", "config": {"source": "grafana"}, "owner": "ada@example.com",
        "environment": "production", "secret": {"env": "HELPER_ALERTS_SECRET"},
    }  # fmt: skip
    assert "0 to create, 0 to change" in run(text)
    for slug in ("helper", "plain"):
        text = text.replace(f"slug: {slug}\n", f"slug: {slug}-2\n").replace(f"agent: {slug}\n", f"agent: {slug}-2\n")
    text = text.replace("slug: support\n", "slug: aid\n")
    text = text.replace("team: support\n", "team: aid\n").replace("slug: sales\n", "slug: trade\n")
    text = text.replace("- sales\n", "- trade\n").replace("prompt: support/helper", "prompt: aid/helper")
    text = text.replace("prompt: plain", "prompt: plain-2").replace("slug: support/helper", "slug: aid/helper")
    for name, env in (
        ("CRM", "CRM_SECRET"),
        ("REFUND", "SHOP_SECRET"),
        ("RETURNS", "RETURNS_SECRET"),
        ("RABBIT", "RABBIT_URL"),
    ):
        text = text.replace(f"SUPPORT_{name}_SECRET", env)
    run(text)
    assert Agent.objects.get(slug="helper-2").team.slug == "aid"
    assert Quota.objects.filter(team__slug="aid", agent="helper-2").exists()
    assert Quota.objects.exclude(widget_id=None).values("widget_id").distinct().count() == 2
    gone = FILE.replace("limit: 60, widget: Shop", "limit: 60, widget: Shed").replace("agent: helper}", "agent: gone}")
    said = problems_of(run, gone)
    assert "There is no widget 'Shed' for support" in said and "There is no agent 'gone' for support" in said
    again = yaml.safe_load(exported())
    twin = next(one for one in again["agents"] if one["slug"] == "helper-2")
    same = ("description", "audience", "alias", "limits", "grants", "output_schema", "parameters")
    assert {name: twin[name] for name in same} == {name: helper[name] for name in same}
    assert [t["name"] for t in twin["triggers"]] == [t["name"] for t in helper["triggers"]]


def test_it_shows_a_webhooks_own_secret_once(run: Any) -> None:
    said = run(FILE.replace(" secret: {env: HOOK_SECRET},", ""))
    hook = Trigger.objects.get(kind="webhook")
    assert f"Secret of the webhook helper: Alerts, shown this once: {decrypt(hook.secret)}" in said
    assert decrypt(hook.secret) not in run(FILE.replace(" secret: {env: HOOK_SECRET},", ""))
    run(FILE)
    hook.refresh_from_db()
    assert decrypt(hook.secret) == "hook-0123456789abc"


def test_a_file_says_how_a_webhook_proves_itself(run: Any, monkeypatch: Any) -> None:
    with_token = FILE.replace("config: {source: grafana}", "config: {source: alertmanager, auth: token}")
    new = with_token.replace(" secret: {env: HOOK_SECRET},", "")
    said = run(new)
    first = TriggerToken.objects.get()
    assert "Token of the webhook helper: Alerts, shown this once: fk_hook_" in said and first.last4 in said
    assert "0 to create, 0 to change" in run(new) and "fk_hook_" not in exported()
    given = keys.generate_hook_token()
    monkeypatch.setenv("HOOK_SECRET", given)
    said = run(with_token)
    assert "~ trigger   helper: Alerts" in said and given not in said and "0 to change" in run(with_token)
    assert bytes(TriggerToken.objects.get(revoked_at=None).digest) == keys.digest(given)
    assert "shown this once" in run(FILE.replace(" secret: {env: HOOK_SECRET},", "")), "back to a signature"
    assert not TriggerToken.objects.filter(revoked_at=None).exists() and Trigger.objects.get(kind="webhook").secret
    monkeypatch.setenv("HOOK_SECRET", "hook-0123456789abc")
    assert "A bearer token begins with fk_hook_" in problems_of(run, with_token)


def test_it_keeps_drafts_and_does_not_write_over_them(run: Any) -> None:
    text = FILE.partition("widgets:\n")[0].replace("widget: Shop", "alias: support-chat")
    run(text.replace(PLAIN, PLAIN + "    publish: false\n"))
    plain = Agent.objects.select_related("draft").get(slug="plain")
    assert plain.live_id is None and "publish: false" in exported()
    said = run(text)
    assert "    published: no → yes" in said
    plain.refresh_from_db()
    assert plain.live is not None
    plain.draft.refresh_from_db()
    bea = make.actor_for(make.make_user("bea@example.com"))
    save_draft(actor=bea, agent=plain, seen_revision=plain.draft.revision, opening_message="Mine")
    assert "0 to change" in run(text), "a draft is nobody's business while the file asks for nothing else"
    said = problems_of(run, text.replace("instructions: Answer.\n    alias", "opening_message: Ours\n    alias"))
    assert "changed the draft of plain" in said and "line " in said
    assert "# Not in this file: the draft of the agent plain, which is not published." in exported()


def test_the_documented_file_is_understood() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / "configuration-as-code.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        assert parse(block)[1] == []
        jsonschema.validate(plain(read(block)[0]), json_schema())
    jsonschema.validate(plain(read(FILE)[0]), json_schema())


def test_the_documented_file_can_be_applied(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / "configuration-as-code.md").read_text(), re.DOTALL)
    text, cut = re.subn(r"(?ms)^tool_servers:.*?(?=^tools:)", "", "".join(blocks))
    assert cut == 1, "the example's server would be asked for its tools"
    for name in re.findall(r"env: (\w+)", text):
        monkeypatch.setenv(name, "amqp://localhost/" if name == "RABBIT_URL" else "https://hooks.example/x")
    monkeypatch.setenv("BRIDGE_SIGNING", "whsec_" + "A" * 32)
    (run.folder / "documents").mkdir()
    (run.folder / "documents" / "price-policy.md").write_text("# Prices\n\nExpress costs 9 euros.")
    make.make_team("Sales")
    vectors = Provider.objects.create(
        slug="builtin-embeddings", name="x", kind="openai", base_url="http://127.0.0.1:9/v1"
    )
    make.make_model("wordllama-l2-256", provider=vectors, capabilities=["embedding"])
    run(text)
    said = yaml.safe_load(exported())
    assert {one["name"]: one.get("successor") for one in said["models"]}["gpt-4o-mini"] == "openai/gpt-4.1" and [
        one["slug"] for one in said["agents"]
    ] == [
        "helper",
        "shop-chat",
    ]
    assert "0 to create, 0 to change" in run(text)


# What is wrong in a file, each beside what else is found at the same time: all of it is said at once.
WRONG = [
    [
        ("team: support, name: Returns", "team: nobody, name: Returns", "queues[0].team: There is no team 'nobody'"),
        ("steps: 12", "steps: 1200", "agents[0].limits.steps: Found 1200; write a whole number from 1 to 200"),
        ("cost: 0.5", "cost: 5000", "agents[0].limits.cost: cost_micros must be a whole number"),
        ("when: {sum: {max: 5}}", "when: {sum: {most: 5}}", "agents[0].grants[0].rules"),
        (
            "url: https://shop.example/orders/{order}",
            "url: https://{order}.example",
            "tools[0].config.url: Arguments cannot",
        ),
        ("agent: plain\n", "agent: plane\n", "widgets[0].agent: There is no agent 'plane'"),
        ("temperature: 0.2", "temperature: 9", "agents[0].parameters.temperature"),
    ],
    [
        (
            "arguments: {sum: {max: 100}}",
            "arguments: {sum: {max: no}}",
            "agents[0].grants[0].arguments.sum.max: Found 'no'",
        ),
        ("required: [order, sum]", "required: [order, num]", "tools[0].parameters: "),
        ('["https://shop.example"]', '["shop.example"]', "widgets[0].origins: “shop.example” lacks its scheme"),
        (
            "prompt: support/helper\n",
            "prompt: support/helper@3\n",
            "agents[0].prompt: A numbered version never changes",
        ),
    ],
    [
        ("kind: http", "kind: mcp", "tools[0].kind: Found 'mcp'; write one of http"),
        ("name: Work", "name: Alerts", "agents[0].triggers[2].name: "),
        ("env: HOOK_SECRET", "env: HOOK_GONE", "triggers[1].secret.env: The environment variable HOOK_GONE is not set"),
    ],
    [
        ("cron: 0 7 * * *", "cron: 0 7 * *", "agents[0].triggers[0].config.cron: '0 7 * *' is no cron expression"),
        (
            "{queue: returns}, is",
            "{queue: gone}, is",
            "agents[0].triggers[2].config.queue: Support has no queue 'gone'",
        ),
        ("broker: rabbit", "broker: hare", "agents[0].triggers[3].config.broker: There is no broker 'hare'"),
        ("env: RETURNS_SECRET", "value: brief", "queues[0].secret: A queue's secret has 16"),
        ("env: HOOK_SECRET", "value: short", "triggers[1].secret: A webhook's secret has 16 characters or more."),
    ],
    [
        ("tool: refund", "tool: refunds", "agents[0]: "),
        (
            "config: {queue: returns, action",
            "config: {queue: gone, action",
            "tools[1].config.queue: There is no queue 'gone' in Support. There are: returns.",
        ),
        ("env: RABBIT_URL", "value: redis://10.0.0.1", "brokers[0].url: "),
    ],
    [("kind: queue, owner: ada", "kind: queue, owner: eve", "agents[0].triggers[2].owner: Nobody has the address")],
    [("alias: support-chat\n    parameters", "alias: other\n    parameters", "agents[0]: ")],
]


def test_it_names_line_and_field(run: Any) -> None:
    for wrong in WRONG:
        text = FILE
        for old, new, _ in wrong:
            assert old in text, old
            text = text.replace(old, new, 1)
        found = problems_of(run, text).splitlines()
        for _, new, said in wrong:
            line = text[: text.index(new)].count("\n") + 1
            named = [one for one in found if said in one]
            assert named, (said, found)
            assert said.endswith(": ") or any(f"line {line}: " in one for one in named), (line, named)
        assert not Agent.objects.exists()


def test_a_secret_in_the_wrong_place_is_not_repeated(run: Any) -> None:
    """Whoever writes a secret where a name belongs reads what is wrong; logs of deployments do not read the secret."""
    for old, new, said in (
        (
            "{env: RABBIT_URL}",
            "amqps://u:hunter22@127.0.0.1/",
            "brokers[0].url: Found a text; write a mapping with env",
        ),
        ("{env: CRM_SECRET}", "hunter22", "tool_servers[0].secret: Found a text; write a mapping"),
        ("env: CRM_SECRET", "env: hunter22-x", "secret.env: Write the name of an environment variable."),
        ("env: CRM_SECRET", "value: 4220042200422", "secret.value: Write the secret itself, in quotes"),
        ("env: CRM_SECRET", "hunter22: x", "tool_servers[0].secret: A secret has another field than env, file, value."),
        ("env: SHOP_SECRET", "value: hunter22\\x07", "tools[0].secret: "),
        (
            "https://crm.example/mcp",
            "https://u:hunter22@crm.example/mcp",
            "address: The URL holds a user name or password",
        ),
    ):
        assert old in FILE, old
        text = FILE.replace(old, new, 1) if "x07" not in new else FILE.replace(old, 'value: "hunter22\\x07"', 1)
        for arguments in ((), ("--dry-run",)):
            out = StringIO()
            (run.folder / "facet.yaml").write_text(text)
            with pytest.raises(CommandError) as caught:
                call_command("apply", str(run.folder / "facet.yaml"), *arguments, stdout=out, no_color=True)
            told = str(caught.value) + out.getvalue()
            assert said in told, told
            assert "hunter22" not in told and "4220042200422" not in told, told
    assert not Agent.objects.exists()


def test_it_takes_tools_of_a_server_over_and_reviews_them(run: Any) -> None:
    server = sdks.mcp_server.MCPServer("clock")

    @server.tool()
    def tell(zone: str) -> str:
        """Tell the time."""
        return zone

    def text(url: str, offer: str) -> str:
        return f"""\
teams: [{{slug: support}}]
tool_servers:
  - slug: clock
    team: support
    address: "{url}"
    tools: [{offer}]
"""

    try:
        with served(server) as (url, heard):
            run(text(url, "{name: tell, effect: read}"))
            tool = Tool.objects.get()
            assert (tool.slug, tool.effect, tool.kind) == ("clock__tell", "read", "mcp") and len(tool.digest) == 64
            asked = len(heard.requests)
            assert "0 to create, 0 to change" in run(text(url, "{name: tell, effect: read}"))
            assert f"digest: {tool.digest}" in exported() and "0 to create, 0 to change" in run(exported())
            assert len(heard.requests) == asked, "a server is asked when there is something to take over"
            assert "does not offer 'told'" in problems_of(run, text(url, "{name: told}"))
            wrong = "0" * 64
            said = problems_of(run, text(url, f"{{name: tell, digest: '{wrong}'}}"))
            assert "something else of this tool" in said and "line 6" in said
            tool.digest, tool.suspended, right = wrong, "It says something else.", tool.digest
            tool.save()
            assert "    digest: 0000" in run(text(url, f"{{name: tell, digest: '{right}'}}"))
            tool.refresh_from_db()
            assert (tool.digest, tool.suspended) == (right, "")
        said = problems_of(run, text(url, "{name: later}"))
        assert "support/clock could not be asked for its tools" in said
    finally:
        sync.stop()


def test_prompts_of_any_kind_go_with_their_agents(run: Any) -> None:
    run(FILE)
    team = Agent.objects.get(slug="plain").team
    chat = make.make_prompt(
        team, "talk", kind="chat", content=[{"role": "system", "text": "One"}, {"role": "user", "text": "Two"}]
    )
    make.make_agent(team, "talker", prompt=chat)
    text = exported()
    assert "prompt: talk" in text and "    - role: user\n      text: Two\n" in text
    assert "0 to create, 0 to change" in run(text)
    said = problems_of(run, text.replace("prompt: talk\n", "prompt: talk\n  instructions: Other.\n"))
    assert "The instructions talk are in this file twice" in said
    said = problems_of(run, "agents: [{slug: talker, team: support, prompt: talk, instructions: Other.}]")
    assert "talk is a chat prompt" in said


def test_what_no_database_can_keep_is_a_problem_of_the_file(run: Any) -> None:
    no_text = "holds a character that is no text"
    for old, new, said in (
        ("name: Returns", 'name: "a\\0b"', f"queues[0].name: This {no_text} (U+0000)"),
        ("name: Returns", 'name: "a\\ud800"', f"queues[0].name: This {no_text} (U+D800)"),
        ("lease_seconds: 60", f"lease_seconds: {'9' * 5_000}", "queues[0].lease_seconds: "),
        ("{env: SHOP_SECRET}", '{file: "a\\0b"}', f"tools[0].secret.file: This {no_text}"),
        ('prefix: "Bearer "', 'prefix: "\\udfff"', f"tools[0].config.secret.prefix: This {no_text}"),
        ("{sum: {max: 100}}", '{sum: {max: 100}, "\\0": 1}', f"agents[0].grants[0].arguments: A name here {no_text}"),
        ("{sum: {max: 100}}", "{sum: {max: 1.0e+999}}", "agents[0].grants[0].arguments.sum.max: Found '1.0e+999'"),
    ):
        assert old in FILE, old
        found = problems_of(run, FILE.replace(old, new, 1))
        assert said in found, found[:2_000]
