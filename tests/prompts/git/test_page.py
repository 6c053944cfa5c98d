"""The page of the connected repository, and its JSON face."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from console.audit.models import AuditEvent
from console.teams.callers import SYSTEM
from prompts_app.git import remotes
from prompts_app.git.models import GitRemote, GitSync
from tests.conftest import Cast
from tests.make import client_of
from tests.prompts.git.git import git, head, save


@pytest.fixture
def olga(library: Cast, client: Client, settings: Any, tmp_path: Path) -> Client:
    """The operator's browser; repositories may be in the test's folder."""
    settings.PROMPTS_GIT_FOLDERS = [str(tmp_path)]
    client.force_login(library.operator)
    return client


def test_an_operator_connects_tests_syncs_and_settles(
    olga: Client, library: Cast, settings: Any, tmp_path: Path
) -> None:
    page = "/prompts/git/"
    allowed, settings.PROMPTS_GIT_FOLDERS = settings.PROMPTS_GIT_FOLDERS, []
    shown = olga.get(page).content.decode()
    assert "PROMPTS_GIT_FOLDERS" in shown and "Connect a repository" not in shown, "what cannot work is not offered"
    settings.PROMPTS_GIT_FOLDERS = allowed
    assert "Connect a repository" in olga.get(page).content.decode()
    wrong = olga.post(page, {"address": "/etc/x", "branch": "main", "every_minutes": "0"})
    assert wrong.status_code == 422 and "are not allowed here" in wrong.content.decode()
    given = {"address": str(tmp_path / "repo"), "branch": "main", "every_minutes": "0", "credential": "s3cret"}
    refused = olga.post("/prompts/git/", {**given, "every_minutes": "x"})
    assert refused.status_code == 422 and "s3cret" not in refused.text
    assert "a secret is never sent back" in refused.text
    assert olga.post(page, given).status_code == 302
    again = {name: value for name, value in given.items() if name != "credential"} | {"seen_revision": "1"}
    assert olga.post(page, {**again, "every_minutes": "30"}).status_code == 302
    late = {**again, "branch": "typed"}
    overtaken, piece = olga.post(page, late), olga.post(page, late, headers={"HX-Request": "true"})
    assert (overtaken.status_code, piece.status_code) == (409, 422) and 'value="typed"' in overtaken.text
    assert "“Branch”, “Sync interval, in minutes”" in overtaken.text and GitRemote.objects.get().every_minutes == 30
    assert olga.post(page, {**again, "seen_revision": "2"}).status_code == 302
    older = {**given, "seen_revision": "3"}
    remotes.disconnect(actor=SYSTEM)
    undone = olga.post(page, older)
    assert undone.status_code == 409 and "Somebody disconnected the repository after you opened it" in undone.text
    assert 'name="seen_revision"' in undone.text and "s3cret" not in undone.text and not GitRemote.objects.exists()
    program = {"address": given["address"], "seen_revision": 3}
    assert olga.patch("/api/prompts/git/", program, content_type="application/json").status_code == 409
    assert (
        olga.post(page, {**older, "seen_revision": undone.context["form"]["seen_revision"].value()}).status_code == 302
    )
    shown = olga.get(page).content.decode()
    assert "No sync yet" in shown and "<dd>Set</dd>" in shown and "s3cret" not in shown
    assert "not there yet" in olga.post(f"{page}test/", headers={"HX-Request": "true"}).content.decode()
    assert olga.post(f"{page}sync/").status_code == 302 and GitRemote.objects.get().wanted_at
    assert AuditEvent.objects.get(action="git.wanted").actor_id == library.operator.pk
    assert "Waits for a worker" in olga.get(page).content.decode()
    from prompts_app.git import sync

    sync.tick()
    file = tmp_path / "repo/style.md"
    file.write_text(file.read_text().replace("Be brief.", "From git."))
    git(tmp_path / "repo", "commit", "-qam", "x")
    save("style", "From the console.")
    sync.sync()
    shown = olga.get(page).content.decode()
    assert "newest version, 2." in shown and "Use git&#x27;s text" in shown or "Use git's text" in shown
    olga.post(f"{page}resolve/", {"slug": "style", "side": "git"})
    assert head("style").head.content[0]["text"] == "From git."
    assert "Conflicts</h2>" not in olga.get(page).content.decode()
    assert olga.get(f"{page}disconnect/").status_code == 200
    olga.post(f"{page}disconnect/")
    assert not GitRemote.objects.exists() and (tmp_path / "repo/style.md").exists()


def test_the_api_does_the_same(olga: Client, tmp_path: Path, library: Cast) -> None:
    api = "/api/prompts/git/"
    assert olga.get(api).status_code == 404
    kind = "application/json"
    assert olga.patch(api, {"adress": "x"}, content_type=kind).status_code == 400
    assert olga.patch(api, {"branch": "main"}, content_type=kind).json()["error"]["param"] == "address"
    made = olga.patch(api, {"address": str(tmp_path / "repo"), "credential": "s3cret"}, content_type=kind)
    assert made.status_code == 201 and made.json()["has_credential"] and "s3cret" not in made.content.decode()
    assert olga.patch(api, {"every_minutes": 5}, content_type=kind).json()["every_minutes"] == 5
    assert olga.post(f"{api}test/").json()["is_ok"] is True
    assert olga.post(f"{api}sync/", {}, content_type=kind).json()["exported"] == 5
    assert olga.get(api).json()["last_sync"]["outcome"] == "ok"
    assert len(olga.get(f"{api}syncs/").json()["data"]) == GitSync.objects.count() == 1
    assert olga.delete(api).status_code == 204
    assert olga.post(f"{api}sync/", {}, content_type=kind).status_code == 409
    bob = client_of(library.bob)
    assert bob.get(api).status_code == 403
