"""A file of Langfuse becomes prompts, versions and labels; what has no counterpart is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError
from django.test import Client

from console.audit.models import AuditEvent
from console.teams.actors import SYSTEM
from prompts_app.git.langfuse_file import in_order, read_file
from prompts_app.models import Prompt
from prompts_app.services.labels import set_rule
from tests import make
from tests.conftest import Cast
from tests.prompts.git.git import head, run


def entry(name: str, prompt: Any, version: int = 1, **more: Any) -> dict[str, Any]:
    kind = "chat" if isinstance(prompt, list) else "text"
    return {"id": "x", "projectId": "p", "name": name, "version": version, "type": kind, "prompt": prompt, "config": {},
            "labels": [], "tags": [], "createdAt": "2025-03-01T10:00:00.000Z", "createdBy": "ann", **more}  # fmt: skip


FILE = [
    entry("Movie Critic", "As a {{ level }} critic: {{movie}}. {{#if x}}", labels=["production"], tags=["film"]),
    entry("Movie Critic", "As a {{level}} critic, rate {{movie}}.", 3, labels=["latest", "staging"],
          commitMessage="Rate", config={"temperature": 0.2, "model": "gpt-4o"}),  # fmt: skip
    entry("support/chat", [
        {"role": "system", "content": "@@@langfusePrompt:name=House Style|label=production@@@\nBe kind."},
        {"type": "placeholder", "name": "history"},
        {"role": ["user"], "content": "x"},
        {"role": "user", "content": "{{question}}"},
    ]),
    entry("House Style", "Brief.", labels=["production"]),
    entry("pinned", "@@@langfusePrompt:name=House Style|version=1@@@"),
]  # fmt: skip


def test_it_imports_a_file_once(cast: Cast, tmp_path: Path) -> None:
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps(FILE))
    words = ("import-langfuse", str(file), "--team", "team-a")
    said = run(*words, "--dry-run")
    assert "+ movie-critic@1 from Movie Critic v1" in said and "    +As a {{level}} critic, rate {{movie}}." in said
    assert not Prompt.objects.exists()
    said = run(*words, "--as", "alice@example.com")
    assert said.endswith("Imported 5 versions, 3 labels; 0 here already.\n")
    for note in (
        "Movie Critic v1: '{{#if x}}' is no variable here and stays as text",
        "Movie Critic v3: config 'model' is left out",
        "support/chat v1: the placeholder 'history' is left out",
        "support/chat v1: a message of role \"['user']\" is left out",
    ):
        assert note in said
    critic = head("movie-critic")
    assert (critic.team, critic.kind, critic.tags) == (cast.team_a, "text", ["film"])
    first, second = critic.versions.order_by("number")
    assert first.content[0]["text"] == "As a {{level}} critic: {{movie}}. \\{{#if x}}"
    assert [v["name"] for v in first.variables] == ["level", "movie"]
    assert (second.message, second.author_name, second.parameters) == ("Rate", "ann", {"temperature": 0.2})
    assert first.created_at.isoformat() == "2025-03-01T10:00:00+00:00"
    assert {label.name: label.version.number for label in critic.labels.all()} == {"production": 1, "staging": 2}
    assert head("house-style").kind == "partial"
    assert head("support/chat").head.content[0]["text"] == "{{> house-style:production}}\nBe kind."
    assert head("pinned").head.content[0]["text"] == "{{> house-style@1}}"
    assert run(*words).endswith("Imported 0 versions, 0 labels; 5 here already.\n")


WRONG = [
    ("[", "not JSON"),
    ("[]", "list of 1 to"),
    ('[{"name": "a"}]', "Entry 1 is no prompt"),
    ('{"data": [{"name": "a", "type": "text", "versions": [1, 2], "labels": []}], "meta": {}}', "which has no texts"),
    (json.dumps([entry("!!!", "x")]), "cannot become"),
    (json.dumps([entry("new/x", "x")]), "cannot become"),
    (json.dumps([entry("a", "x"), entry("a", "y")]), "a v1 twice"),
    (json.dumps([*(entry(f"p{number}", "x") for number in range(2_500)), entry("p7", "y")]), "p7 v1 twice"),
    (json.dumps([entry("A b", "x"), entry("a-b", "y")]), "would both be a-b"),
    (json.dumps([entry("a", "@@@langfusePrompt:name=nowhere|label=production@@@")]), "names no text prompt"),
    (json.dumps([entry(a, f"@@@langfusePrompt:name={b}|label=x@@@") for a, b in ("ab", "ba")]), "a v1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_it_refuses_and_makes_nothing(cast: Cast, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "prompts.json"
    file.write_text(text)
    with pytest.raises(CommandError, match=said):
        run("import-langfuse", str(file), "--team", "team-a")
    assert not Prompt.objects.exists()


def test_it_includes_what_the_library_has_and_orders_what_the_file_has(cast: Cast, tmp_path: Path) -> None:
    make.make_prompt(cast.team_a, "house-style", "Brief.", kind="partial")
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps([entry("greeting", "@@@langfusePrompt:name=House Style|label=production@@@\nHello")]))
    assert "Imported 1 version" in run("import-langfuse", str(file), "--team", "team-a")
    assert head("greeting").head.content[0]["text"] == "{{> house-style:production}}\nHello"
    reference = "@@@langfusePrompt:name=p%d|version=1@@@"
    # Each refers to the next, and the last to the first.
    chain = [entry(f"p{number}", reference % ((number + 1) % 3_000)) for number in range(3_000)]
    names = [versions[0].name for versions in in_order(read_file(json.dumps(chain).encode()))]
    assert names == ["p2999", *(f"p{number}" for number in range(2_998, -1, -1))]


def test_it_says_that_references_were_resolved(cast: Cast, tmp_path: Path) -> None:
    file, graph = tmp_path / "prompts.json", {"root": {"name": "a", "version": 1, "id": "x"}, "dependencies": {}}
    file.write_text(
        json.dumps([entry("a", "Brief.\nGo.", resolutionGraph=graph), entry("b", "x", resolutionGraph=None)])
    )
    said = run("import-langfuse", str(file), "--team", "team-a")
    assert "a v1: what it referred to stands in its text; fetched with resolve=false" in said
    assert "Note: b v1" not in said


def test_it_says_which_label_was_missing_and_why(cast: Cast, tmp_path: Path) -> None:
    """A text includes what a label names, and the team protects that label: both are told."""
    set_rule(actor=SYSTEM, team=cast.team_a, label="production", needs_review=True)
    file = tmp_path / "prompts.json"
    tone = entry("tone", "Be kind.", labels=["production"])
    file.write_text(json.dumps([tone, entry("help", "Help. @@@langfusePrompt:name=tone|label=production@@@")]))
    with pytest.raises(CommandError) as refused:
        run("import-langfuse", str(file), "--team", "team-a", "--dry-run")
    said = str(refused.value)
    assert "help v1: The partial 'tone:production' cannot be included: it has no label" in said
    assert "tone v1: production was not set. production is protected" in said
    assert not Prompt.objects.exists()


def test_the_page_looks_first_and_makes_then(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    page = "/prompts/import/"
    assert client.post(page, {"team": "team-a"}).status_code == 422
    sent = SimpleUploadedFile("p.json", json.dumps(FILE).encode())
    looked = client.post(page, {"team": "team-a", "file": sent})
    assert looked.status_code == 200 and "movie-critic@2" in looked.content.decode()
    assert not Prompt.objects.exists()
    made = client.post(page, {"team": "team-a", "text": looked.context["text"], "make": "1"})
    assert made.status_code == 302 and Prompt.objects.count() == 4
    wrong = client.post(page, {"team": "team-a", "text": "[", "make": "1"})
    assert wrong.status_code == 422 and "not JSON" in wrong.content.decode()
    # A team somebody may not build in cannot be chosen.
    assert client.post(page, {"team": "team-b", "text": json.dumps(FILE), "make": "1"}).status_code == 422


def test_programs_import_it(cast: Cast, client: Client) -> None:
    """As a text or as a file; with `dry_run` nothing is made. What is wrong names the field it was sent in."""
    key = make.make_key(cast.team_a, owner=cast.alice, scopes=["prompts:write"])[1]

    def send(sent: dict[str, Any], text: str = key, **more: Any) -> Any:
        return client.post("/api/prompts/import/", sent, headers={"Authorization": f"Bearer {text}"}, **more)

    def typed(content: str, **fields: Any) -> Any:
        return send({"team": "team-a", "content": content} | fields, content_type="application/json")

    looked = typed(json.dumps(FILE), dry_run=True)
    assert looked.status_code == 200, looked.text
    first = looked.json()["made"][0]
    assert (first["ref"], first["title"], first["is_new"]) == ("house-style@1", "House Style v1", True)
    assert "+Brief." in first["diff"] and not Prompt.objects.exists()
    made = send({"team": "team-a", "file": SimpleUploadedFile("p.json", json.dumps(FILE).encode())})
    assert made.status_code == 201 and made.json() == looked.json() and Prompt.objects.count() == 4
    assert "movie-critic:staging → 2" in made.json()["labels"] and made.json()["notes"]
    made_by = AuditEvent.objects.filter(action="prompt.created").values_list("actor_kind", flat=True)
    assert list(made_by) == ["key"] * 4
    again = typed(json.dumps(FILE))
    assert (again.status_code, again.json()["made"], again.json()["already"]) == (200, [], 5)
    unreadable = typed(json.dumps([entry("a", "@@@langfusePrompt:name=nowhere|label=production@@@")]))
    assert "names no text prompt" in unreadable.json()["error"]["message"]
    empty = send({"team": "team-a", "file": SimpleUploadedFile("p.json", b"[]")})
    large = send({"team": "team-a", "file": SimpleUploadedFile("p.json", b" " * 1_500_001)})
    for wrong, param in (
        (typed("["), "content"),
        (unreadable, "content"),
        (empty, "file"),
        (large, "file"),
        (typed("[]", label="x"), "label"),
    ):
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, param), wrong.text
    assert typed("[]", team="team-b").status_code == 404
    reading = make.make_key(cast.team_a, owner=cast.alice, scopes=["usage:read"])[1]
    assert send({"team": "team-a", "content": "[]"}, reading, content_type="application/json").status_code == 403


def test_what_no_file_of_theirs_says_breaks_nothing(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    long = "@@@langfusePrompt:name=House Style|version=%s@@@" % ("1" * 5_000)
    for item, status in (
        (entry("early", "x", createdAt="0001-01-01T00:00:00+23:00"), 302),
        (entry("before christ", "x", createdAt="0001-01-01T00:00:00+10:00"), 302),
        (entry("late", "x", createdAt="9999-12-31T23:59:59-23:00"), 302),
        (entry("tagged", "x", tags=7), 302),
        (entry("pinned", long), 422),
    ):
        made = client.post("/prompts/import/", {"team": "team-a", "text": json.dumps([item]), "make": "1"})
        assert made.status_code == status, item["name"]
    assert {prompt.slug for prompt in Prompt.objects.all()} == {"early", "before-christ", "late", "tagged"}
    for prompt in Prompt.objects.select_related("head"):
        assert prompt.head is not None and prompt.head.created_at.year > 2000
        assert client.get(f"/prompts/{prompt.slug}/").status_code == 200
