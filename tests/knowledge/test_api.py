"""The JSON face: the same services, for keys with their scopes."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests import make
from tests.knowledge.conftest import POLICY, World


def test_it_does_what_the_pages_do(client: Client, world: World) -> None:
    _, text = make.make_key(world.cast.team_a, scopes=["models:call", "prompts:write"])
    headers = {"Authorization": f"Bearer {text}"}

    def ask(method: str, path: str, **body: Any) -> Any:
        return client.generic(
            method, f"/api/knowledge/{path}", json.dumps(body), content_type="application/json", headers=headers
        )

    listed = ask("GET", "collections/").json()["data"]
    assert {one["slug"]: (one["team"], one["documents"], one["passages"]) for one in listed} == {
        "support": ("team-a", 1, 3),
        "handbook": (None, 0, 0),
    }
    made = ask("POST", "collections/", team="team-a", slug="shop", name="Shop", model=None)
    assert made.status_code == 201
    here = f"collections/{made.json()['id']}/"
    assert ask("POST", "collections/", team=None, slug="all", name="All").status_code == 403
    assert ask("POST", "collections/", team="team-a", slug="y", name="Y", model="no/thing").status_code == 400
    document = ask("POST", f"{here}documents/", name="Policy", text=POLICY, message="First").json()
    there = f"documents/{document['id']}/"
    saved = ask("POST", f"{there}versions/", text=POLICY.replace("30", "60"), seen_version=1)
    assert saved.status_code == 201 and saved.json()["number"] == 2
    stale = ask("POST", f"{there}versions/", text="Other", seen_version=1)
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "stale_document")
    assert ask("GET", f"{there}versions/1/").json()["text"] == POLICY.strip()
    # The same text without its headings is another version; as the kind it is already, it is none.
    for kind, status in (("text", 201), ("text", 400), ("pdf", 400), ("markdown", 201)):
        same = ask("POST", f"{there}versions/", text=POLICY.replace("30", "60"), kind=kind)
        assert same.status_code == status, same.text
    question = {"question": "refund of a jacket", "collections": ["shop"], "limit": 1}
    (found,) = ask("POST", "search/", **question).json()["data"]
    assert (found["document"], found["version"], found["heading"]) == ("Policy", 4, "Price policy › Refunds")
    assert ask("POST", f"{there}current/", version=1).json()["version"] == 1
    assert "30 days" in ask("POST", "search/", **question).json()["data"][0]["text"]
    missing = ask("POST", "search/", **question | {"collections": ["none"]})
    assert missing.status_code == 404 and missing.json()["error"]["param"] == "collections"
    assert "There are: " in missing.json()["error"]["message"] and "shop" in missing.json()["error"]["message"]
    # A file is read as the page reads one, also twice with the same key.
    for _ in range(2):
        page = SimpleUploadedFile("returns_2.html", b"<h1>Returns</h1><p>Within 14 days.</p>", "text/html")
        form = {"file": page, "message": "From the shop"}
        sent = client.post(f"/api/knowledge/{here}documents/", form, headers=headers | {"Idempotency-Key": "one"})
        assert sent.status_code == 201 and sent.json()["name"] == "returns 2", sent.text
    uploaded = f"documents/{sent.json()['id']}/versions/"
    (version,) = ask("GET", uploaded).json()["data"]
    assert (version["kind"], version["source_name"], version["number"]) == ("html", "returns_2.html", 1)
    for name, more, status, code in (
        ("b.md", {"seen_version": 0}, 409, "stale_document"),
        ("b.md", {"seen_version": 1}, 201, None),
        ("b.exe", {}, 400, "unreadable_document"),
        ("b.md", {"text": "x"}, 400, "invalid_request"),
    ):
        sent = client.post(
            f"/api/knowledge/{uploaded}",
            {"file": SimpleUploadedFile(name, b"Within 30 days."), **more},
            headers=headers,
        )
        said = sent.json().get("error", {})
        assert (sent.status_code, said.get("code")) == (status, code), sent.text
    assert "'text' is not a field here" in said["message"]
    assert ask("PATCH", there, name="Prices").json()["name"] == "Prices"
    assert ask("PATCH", here, description="Of the shop", language="simple").json()["language"] == "simple"
    assert ask("PATCH", here, least_likeness=0.3).json()["least_likeness"] == 0.3
    assert ask("PATCH", here, least_likeness=1.5).json()["error"]["param"] == "least_likeness"
    assert ask("POST", f"{here}vectors/").status_code == 400, "no model makes any"
    assert ask("DELETE", there).status_code == 204 and ask("GET", there).status_code == 404
    assert ask("DELETE", here).status_code == 204 and ask("GET", here).status_code == 404
    _, theirs = make.make_key(world.cast.team_b)
    headers["Authorization"] = f"Bearer {theirs}"
    assert ask("GET", f"collections/{world.support.pk}/").status_code == 404
    assert ask("POST", "search/", **question | {"collections": ["support"]}).status_code == 404
