"""Collections with documents, schedules of tests and places elsewhere in a configuration file: made, compared, kept."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from console.audit.models import AuditEvent
from console.evals.models import Round, Schedule
from console.knowledge.models import Collection, Document, DocumentVersion
from console.knowledge.services.documents import add_document
from console.pages.configuration.document import LARGEST
from console.touchpoints.models import LegacyTouchpoint
from tests import make
from tests.conftest import Cast
from tests.evals.conftest import World

pytestmark = pytest.mark.django_db
COLLECTIONS = """\
collections:
  - slug: prices
    team: team-a
    description: What things cost
    model: fake/fake-model
    least_likeness: 0.25
    documents:
      - name: Price policy
        text: |
          # Delivery

          Express delivery costs 9 euros.
      - {name: Terms, file: words/terms.txt}
  - {slug: style, language: german}
"""


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def apply(self, text: str, *flags: str) -> str:
        (self.path / "facet.yaml").write_text(text)
        out = StringIO()
        call_command("apply", str(self.path / "facet.yaml"), *flags, stdout=out, no_color=True)
        return out.getvalue()

    def refuses(self, text: str) -> str:
        with pytest.raises(CommandError) as refusal:
            self.apply(text)
        return str(refusal.value)

    def export(self, *flags: str) -> str:
        call_command("export", str(self.path / "out.yaml"), *flags, stderr=StringIO())
        return (self.path / "out.yaml").read_text()


@pytest.fixture
def world(cast: Cast) -> World:
    return World(cast, "http://127.0.0.1:9/v1")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "terms.txt").write_text("All sales are final.\n")
    return Folder(tmp_path)


def test_it_keeps_collections_and_the_versions_of_their_documents(
    world: World, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = folder.apply(COLLECTIONS, "--dry-run")
    assert "+ document  team-a/prices: Terms  (text 20 characters, file words/terms.txt)" in said
    assert not Collection.objects.exists()
    folder.apply(COLLECTIONS)
    prices = Collection.objects.get(slug="prices")
    assert (prices.name, prices.team, prices.payer) == ("prices", world.cast.team_a, world.cast.team_a)
    assert (str(prices.model), prices.language, prices.description) == (
        "fake/fake-model",
        "english",
        "What things cost",
    )
    policy, terms = prices.documents.select_related("current").order_by("name")
    assert policy.current is not None and terms.current is not None
    assert (policy.current.kind, policy.current.message) == ("markdown", "Applied from facet.yaml")
    assert (terms.current.kind, terms.current.source_name, terms.current.number) == ("text", "terms.txt", 1)
    assert AuditEvent.objects.filter(action="document.created", actor="manage.py apply").count() == 2

    before = AuditEvent.objects.count()
    assert "0 to create, 0 to change, 4 unchanged" in folder.apply(COLLECTIONS)
    assert AuditEvent.objects.count() == before
    (folder.path / "words" / "terms.txt").write_text("Goods can be returned.")
    said = folder.apply(COLLECTIONS.replace("What things cost", "Prices").replace("0.25", "none"))
    assert "text: version 1, 20 characters → version 2, 22 characters" in said and "2 to change" in said
    assert "least_likeness: 0.25 → none" in said
    folder.apply(COLLECTIONS)
    assert DocumentVersion.objects.get(document=terms, number=2).text == "Goods can be returned."
    with_headings = COLLECTIONS.replace("terms.txt}", "terms.txt, kind: markdown}")
    assert "kind: text → markdown" in folder.apply(with_headings) and terms.versions.count() == 3
    assert "0 to create, 0 to change, 4 unchanged" in folder.apply(with_headings)
    folder.apply(COLLECTIONS)

    # What an export says is what there is, inline and in files beside it, whatever the text is made of.
    add_document(
        actor=world.alice, collection=prices, name="Odd: «#1»", text="a: b  \n\n- 'x'\n\t\u2028 y\x85z", kind="pdf"
    )
    text = folder.export()
    assert "Express delivery costs 9 euros." in text and "Not in this file: " not in text.partition("collections:")[0]
    assert "0 to create, 0 to change, 6 unchanged" in folder.apply("collections:" + text.partition("collections:")[2])
    text = folder.export("--documents", "docs")
    assert (
        "kind: pdf" in text and (folder.path / "docs/team-a/prices/terms.txt").read_text() == "Goods can be returned.\n"
    )
    assert "0 to create, 0 to change, 6 unchanged" in folder.apply("collections:" + text.partition("collections:")[2])
    monkeypatch.setattr("console.pages.configuration.export._ROOM_FOR_THE_REST", LARGEST)
    assert "# Not in this file: 3 documents of the collection prices" in folder.export()

    for old, new, sentence in (
        ("words/terms.txt", "words/none.txt", "collections[0].documents[1].file: There is no file"),
        ("words/terms.txt", f"{'t' * 300}.txt", "cannot be read: File name too long"),
        ("words/terms.txt", "facet.yaml", "files may be md, markdown, txt"),
        ("{name: Terms,", "{name: Price policy,", "has the document 'Price policy' twice in this file"),
        ("file: words/terms.txt}", "kind: text}", "line 13: collections[0].documents[1]: Write either text or file."),
        ("fake/fake-model", "fake/other", "collections[0].model: There is no model 'fake/other'"),
        ("    team: team-a\n", "", "payer: Say which team pays"),
        ("language: german", "payer: team-a, team: team-a", "leave payer out"),
        (
            "          Express delivery costs 9 euros.\n",
            "",
            "line 9: collections[0].documents[0].text: The document has",
        ),
    ):
        assert sentence in folder.refuses(COLLECTIONS.replace(old, new)), sentence
    assert Document.objects.count() == 3


SCHEDULES = """\
test_schedules:
  - {prompt: support/answer, label: production, model: support-chat, cron: 0 3 * * *, owner: alice@example.com}
  - prompt: support/answer
    label: production
    model: support-chat@sandbox
    cron: 0 4 * * 1
    time_zone: Europe/Berlin
    tolerance: 10
    owner: alice@example.com
    is_paused: true
"""
PLACES = """\
legacy_touchpoints:
  - team: team-a
    name: Ticket summaries
    kind: scheduled
    place: cron on batch-2
    spend: 210.5
    expected: overnight
    status: migrated
    replaced_by: {key: summaries}
  - {team: team-a, name: Old bubble, kind: chat}
"""


def test_it_keeps_schedules_of_tests_and_places_elsewhere(world: World, cast: Cast, folder: Folder) -> None:
    world.case("a")
    key, _ = make.make_key(cast.team_a, "summaries")
    folder.apply(SCHEDULES + PLACES)
    nightly, weekly = Schedule.objects.order_by("created_at", "id")
    assert (nightly.target, nightly.acts_as_id, nightly.time_zone) == ("support-chat@production", cast.alice.pk, "UTC")
    assert Round.objects.get().schedule == nightly, "only what is not paused begins"
    assert (weekly.target, weekly.tolerance, weekly.is_paused) == ("support-chat@sandbox", 10, True)
    tickets = LegacyTouchpoint.objects.get(name="Ticket summaries")
    assert (tickets.spend_micros, tickets.replaced_by_id, tickets.status) == (210_500_000, key.pk, "migrated")
    lines = AuditEvent.objects.filter(actor="manage.py apply")
    assert lines.filter(action="test_schedule.created").count() == lines.filter(action="legacy.created").count() == 2

    before = AuditEvent.objects.count()
    assert "0 to create, 0 to change, 4 unchanged" in folder.apply(SCHEDULES + PLACES)
    text = folder.export()
    assert "0 to create, 0 to change, 4 unchanged" in folder.apply(
        "test_schedules" + text.partition("test_schedules")[2]
    )
    assert AuditEvent.objects.count() == before + 1, "the export"

    other = make.make_user("olga2@example.com")
    make.make_member(cast.team_a, other, "builder")
    changed = SCHEDULES.replace("is_paused: true", "is_paused: false").replace(
        "cron: 0 3 * * *, owner: alice", "cron: 5 3 * * *, owner: olga2"
    )
    said = folder.apply(changed + PLACES.replace("{key: summaries}", "none").replace("210.5", "none"))
    for line in ("cron: 0 3 * * * → 5 3 * * *", "owner: alice@example.com → olga2@example.com", "is_paused: yes → no"):
        assert line in said
    assert "spend: 210.5 → none" in said and "replaced_by: key summaries → none" in said
    nightly.refresh_from_db()
    assert (nightly.cron, nightly.acts_as_id, nightly.baseline) == ("5 3 * * *", other.pk, None)
    changes = AuditEvent.objects.get(action="test_schedule.changed").detail
    assert json.loads(changes)["after"] == {"cron": "5 3 * * *", "acts_as": other.name}
    assert not Schedule.objects.filter(is_paused=True).exists()

    for old, new, sentence in (
        ("prompt: support/answer, label", "prompt: support/none, label", "prompt: There is no prompt 'support/none'"),
        ("cron: 0 3", "cron: 61 3", "test_schedules[0].cron"),
        ("label: production, model: support-chat,", "label: canary, model: support-chat,", "is on no version yet"),
        ("owner: alice", "owner: nobody", "test_schedules[0].owner: Nobody has the address"),
        (", owner: alice@example.com}", ", label: x}", "is here twice"),
        ("{key: summaries}", "{key: other}", "legacy_touchpoints[0].replaced_by: There is no key 'other'"),
        ("Old bubble", "TICKET summaries", "is in this file twice"),
        ("kind: chat", "kind: fax", "legacy_touchpoints[1].kind: Found 'fax'"),
    ):
        assert sentence in folder.refuses((SCHEDULES + PLACES).replace(old, new, 1)), sentence
