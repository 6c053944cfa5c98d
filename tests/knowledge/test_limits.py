"""What a collection costs is bounded, and what its payer's quotas say is not for everybody."""

import asyncio
from threading import Semaphore

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from console.core.errors import BadInput, Unavailable
from console.knowledge import files, search, sql
from console.knowledge.errors import CannotUse
from console.knowledge.models import Collection
from console.knowledge.services import collections, documents
from tests import make
from tests.knowledge.conftest import POLICY, World


def test_going_back_to_a_longer_version_needs_room_too(world: World, monkeypatch) -> None:
    short = documents.save_version(actor=world.alice, document=world.policy, text="# One\n\nPassage")
    long = world.policy.versions.get(number=1)
    world.add("Other", POLICY)
    monkeypatch.setattr(documents, "MOST_PASSAGES", 5)
    with pytest.raises(BadInput, match="would have 6 passages; 5 is the most"):
        documents.make_current(actor=world.alice, document=world.policy, version=long)
    monkeypatch.setattr(documents, "MOST_PASSAGES", 6)
    documents.make_current(actor=world.alice, document=world.policy, version=long)
    monkeypatch.setattr(documents, "MOST_PASSAGES", 2)
    documents.make_current(actor=world.alice, document=world.policy, version=short)


def test_a_search_takes_a_bounded_time(world: World, monkeypatch) -> None:
    long = "jacket " + " ".join(f"word{n}" for n in range(120))
    assert search.search_now(None, [world.support], long).found == [], "the last 100 words count"
    assert search.search_now(None, [world.support], f"{long} jacket").found[0].heading == "Price policy › Refunds"
    monkeypatch.setattr(search, "_ROOM", Semaphore(0))
    with pytest.raises(Unavailable, match="Too many searches"):
        asyncio.run(search.search(None, [world.support], "jacket"))
    monkeypatch.setattr(sql, "_FIND", "SELECT pg_sleep(30)")
    monkeypatch.setattr(settings, "STATEMENT_TIMEOUT_MS", 1)
    with pytest.raises(Unavailable, match="fewer collections"):
        search.search_now(None, [world.support], "jacket")


def test_only_those_of_the_paying_team_read_who_pays_and_what_keeps_it_from_paying(
    client: Client, world: World, monkeypatch
) -> None:
    shelf = collections.change_collection(
        actor=world.alice, collection=world.everybody, model=world.model, payer=world.cast.team_a
    )
    monkeypatch.setattr(collections, "MOST_COLLECTIONS", 1)
    with pytest.raises(BadInput, match="The organisation has 1 collections, which is the most"):
        collections.create_collection(actor=world.alice, team=None, slug="more", name="More")
    with pytest.raises(BadInput, match="Say which team pays"):
        collections.change_collection(actor=world.alice, collection=shelf, payer=None)
    Collection.objects.filter(pk=shelf.pk).update(problem="Team A has used its budget.")
    _, theirs = make.make_key(world.cast.team_b)
    address = f"/api/knowledge/collections/{shelf.pk}/"
    shown = client.get(address, headers={"Authorization": f"Bearer {theirs}"}).json()
    assert (shown["payer"], shown["problem"]) == (None, "Vectors cannot be made for now.")
    _, own = make.make_key(world.cast.team_a)
    assert client.get(address, headers={"Authorization": f"Bearer {own}"}).json()["payer"] == "team-a"
    page = reverse("knowledge:collection", args=[shelf.pk])
    for person, sees in ((world.cast.charlie, False), (world.cast.bob, True)):
        client.force_login(person)
        text = client.get(page).text
        assert ("used its budget" in text, "Paid by" in text) == (sees, sees)


def test_a_web_page_of_many_marks_is_refused_before_it_is_read(monkeypatch) -> None:
    monkeypatch.setattr(files, "_MOST_OF_WEB_PAGE", 8)
    with pytest.raises(CannotUse, match=r"a\.html is larger"):
        files.read(SimpleUploadedFile("a.html", b"<b><b><b>"))
    assert files.read(SimpleUploadedFile("a.txt", b"<b><b><b>")).text == "<b><b><b>"
