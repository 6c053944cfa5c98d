"""The pages: making, writing, comparing, rolling back, searching; who may; and that nothing typed is lost."""

import json

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from console.audit.models import AuditEvent
from console.core.where_used import Use
from console.knowledge import access, forms, where_used
from console.knowledge.models import Collection, Document
from console.knowledge.services.documents import add_document
from tests import make
from tests.core.test_office import docx_of, xlsx_of
from tests.knowledge.conftest import POLICY, World
from tests.make import client_of


def page(name: str, *args: object) -> str:
    return reverse(f"knowledge:{name}", args=args)


def test_it_goes_from_a_collection_to_an_answer_and_back(client: Client, world: World) -> None:
    client.force_login(world.cast.alice)
    new = {"name": "Shop", "slug": "shop", "team": "team-a", "language": "english", "description": "", "model": ""}
    assert client.post(page("new_collection"), new | {"slug": "support"}).status_code == 422, "the slug is taken"
    unnamed = client.post(page("new_collection"), new | {"name": "???", "slug": ""})
    assert unnamed.status_code == 422 and "Write a short name of lower-case letters" in unnamed.text
    made = client.post(page("new_collection"), new | {"slug": ""})
    shop = Collection.objects.get(slug="shop")
    assert made["Location"] == page("collection", shop.pk) and shop.team == world.cast.team_a

    add = page("new_document", shop.pk)
    refused = client.post(add, {"name": "", "text": POLICY})
    assert refused.status_code == 422 and "A jacket can be returned" in refused.text
    upload = SimpleUploadedFile(
        "price-policy.html", b"<h1>Prices</h1><p>Nine euros.</p><h2>Refunds</h2><p>30 days.</p>"
    )
    client.post(add, {"name": "", "text": "", "file": upload})
    document = Document.objects.get(collection=shop)
    assert document.name == "price policy" and document.current is not None
    assert document.current.text == "# Prices\n\nNine euros.\n\n## Refunds\n\n30 days."
    scan = client.post(add, {"name": "X", "text": "", "file": SimpleUploadedFile("scan.exe", b"MZ")})
    assert scan.status_code == 422 and "scan.exe cannot become a document" in scan.text

    edit = page("edit_document", document.pk)
    typed = {"name": document.name, "text": "# Prices\n\nTen euros.", "message": "Dearer", "seen_version": "1"}
    client.post(edit, typed)
    late = client.post(edit, typed | {"text": "# Prices\n\nEleven euros."})
    assert late.status_code == 409 and "Eleven euros." in late.text and "Alice saved version 2" in late.text
    assert 'name="seen_version" value="2"' in late.text, "saving again puts it on top"
    assert "in “Text”; saving again replaces that" in late.text

    question = {"question": "How much is it, ten euros?"}
    found = client.post(page("search", shop.pk), question, headers={"HX-Request": "true"})
    assert "version 2, passage 1" in found.text and "<html" not in found.text
    assert "version 2, passage 1" in client.post(page("search", shop.pk), question).text, "it works without htmx"
    compared = client.get(page("compare", document.pk)).text
    assert "v1 to v2" in compared and "<ins>Ten</ins>" in compared and "Dearer" in compared
    assert '<option value="1" selected>v1</option>' in compared and '<option value="2" selected>v2</option>' in compared
    current = page("make_current", document.pk, 1)
    assert "What changes" in client.get(current).text
    late = client.post(current, {"seen_current": "1"})
    assert late.status_code == 409 and "before you decide" in late.text and "typed" not in late.text, (
        "another was current"
    )
    assert client.post(current, {"seen_current": late.context["form"]["seen_current"].value()}).status_code == 302
    document.refresh_from_db()
    assert document.current.number == 1 and document.newest == 2
    line = AuditEvent.objects.get(action="document.rolled_back")
    assert json.loads(line.detail) == {"before": {"version": 2}, "after": {"version": 1}} and line.team == "Team A"
    read = add_document(actor=world.alice, collection=shop, name="Terms", text="# 1\n\nFinal.", kind="pdf")
    renamed = {"name": "All terms", "text": "# 1\r\n\r\nFinal.", "message": "", "seen_version": "1"}
    client.post(page("edit_document", read.pk), renamed)
    read.refresh_from_db()
    assert (read.name, read.newest) == ("All terms", 1), "what nobody typed stays as it was read"
    client.post(page("delete_document", read.pk))
    client.post(page("delete_document", document.pk))
    assert "Nothing was found" in client.post(page("search", shop.pk), question).text
    assert client.get(page("document", document.pk)).status_code == 404


def test_it_lets_only_those_write_who_may(client: Client, world: World) -> None:
    own, everybodys = world.support, world.everybody
    client.force_login(world.cast.bob)  # a member of Team A
    for one in (own, everybodys):
        shown = client.get(page("collection", one.pk))
        assert shown.status_code == 200 and "Add document" not in shown.text
        assert client.get(page("new_document", one.pk)).status_code == 403
    client.force_login(world.cast.alice)  # owns Team A
    assert client.get(page("new_document", everybodys.pk)).status_code == 403
    client.force_login(world.cast.charlie)  # a stranger with Team B
    assert client.get(page("collection", everybodys.pk)).status_code == 200
    for address in (page("collection", own.pk), page("document", world.policy.pk)):
        assert client.get(address).status_code == 404
    client.force_login(world.cast.operator)
    assert client.post(page("new_document", everybodys.pk), {"name": "A", "text": "B"}).status_code == 302


def test_no_team_is_taken_for_the_whole_organisation(client: Client, world: World) -> None:
    make.make_team("-")
    client.force_login(world.cast.operator)
    given = {"name": "Guide", "slug": "guide", "language": "english", "team": forms.ORGANISATION}
    assert client.post(page("new_collection"), given).status_code == 302
    assert Collection.objects.get(slug="guide").team is None


def test_it_keeps_what_is_used(client: Client, world: World, monkeypatch) -> None:
    client.force_login(world.cast.alice)
    use = Use("agent", "support-bot", world.cast.team_a.pk, "Team A")
    monkeypatch.setattr(where_used, "SOURCES", [lambda collection: [use]])
    delete = page("delete_collection", world.support.pk)
    assert client.post(delete).status_code == 409 and "agent support-bot" in client.post(delete).text
    monkeypatch.setattr(where_used, "SOURCES", [])
    assert client.post(delete).status_code == 302
    assert client.get(page("collection", world.support.pk)).status_code == 404


def test_more_rows_are_no_more_queries(client: Client, world: World, django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        named = access.get_collections(world.cast.team_a.pk, ["handbook", "support", "handbook"], "knowledge")
    assert named == [world.everybody, world.support]
    client.force_login(world.cast.bob)
    for address in (page("collections"), page("collection", world.support.pk)):
        client.get(address)

    def count(address: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(address).status_code == 200
        return len(seen)

    before = [count(page("collections")), count(page("collection", world.support.pk))]
    for number in range(5):
        world.add(f"Document {number}", POLICY)
    for _ in range(5):
        make.make_document(make.make_collection(world.cast.team_a))
    assert [count(page("collections")), count(page("collection", world.support.pk))] == before


def test_word_documents_and_spreadsheets_become_documents_with_headings(world: World) -> None:
    add = page("new_document", world.support.pk)
    files = {
        "Hausordnung_2026.docx": docx_of(("Heading1", "Quiet hours"), ("", "From ten at night.")),
        "prices.xlsx": xlsx_of(Prices=[["Plan", "Price"], ["A", 5]]),
    }
    for name, raw in files.items():
        added = client_of(world.cast.alice).post(add, {"name": "", "text": "", "file": SimpleUploadedFile(name, raw)})
        assert added.status_code == 302, added.text
    said = {one.name: one.current for one in Document.objects.select_related("current") if one.current}
    assert said["Hausordnung 2026"].text == "# Quiet hours\n\nFrom ten at night."
    assert said["prices"].text == "# Prices\n\nPlan,Price\nA,5"
    assert said["prices"].kind == Document.Kind.MARKDOWN
    locked = client_of(world.cast.alice).post(
        add, {"name": "", "text": "", "file": SimpleUploadedFile("x.docx", b"\xd0\xcf\x11\xe0")}
    )
    assert "x.docx could not be read as DOCX. Save it again without a password, or paste its text." in locked.text
