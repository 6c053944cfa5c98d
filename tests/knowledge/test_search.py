"""What a question finds: by words at once, by meaning once there are vectors, and only in current versions."""

import threading
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connections, transaction

from console.audit.models import AuditEvent
from console.core.clock import now
from console.gateway.identity import PersonIdentity
from console.knowledge import access, search, sql
from console.knowledge import vectors as making
from console.knowledge.models import Collection, Passage
from console.knowledge.services import collections, documents
from tests import make
from tests.between import somebody_waits
from tests.knowledge.conftest import POLICY, World
from tests.upstream import Upstream
from tests.waiting import until


def vectors(*data: list[float]) -> dict[str, object]:
    rows = [{"object": "embedding", "index": i, "embedding": e} for i, e in enumerate(data)]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return {"object": "list", "data": rows, "model": "fake-embed", "usage": usage}


def test_it_finds_words_then_meaning_in_what_is_current(live: World, upstream: Upstream) -> None:
    alice = PersonIdentity(live.cast.alice.pk, live.cast.team_a.pk, "production")
    shelf = [access.get_collection(live.cast.team_a, "support")]

    found = search.search_now(alice, shelf, "When can I have a refund of what was returned?").found
    assert [(one.heading, one.version) for one in found][0] == ("Price policy › Refunds", 1)
    assert found[0].document == "Price policy" and "30 days" in found[0].text and found[0].meaning_place is None
    assert not upstream.seen, "without a model nothing is asked"

    collections.change_collection(actor=live.alice, collection=live.support, model=live.model)
    upstream.enqueue(vectors([0, 1, 0], [1, 0, 0], [0, 0, 1]))
    assert not making.make_vectors(live.support.pk), "all is done in one turn"
    assert upstream.seen[-1].body["input"][1].startswith("Price policy\nPrice policy › Refunds\nA jacket")
    line = AuditEvent.objects.get(type="embedding")
    assert (line.actor, line.team, line.lane, line.surface) == ("Facet", "Team A", "batch", "knowledge")

    shelf = [access.get_collection(live.cast.team_a, "support")]
    upstream.enqueue(vectors([0.9, 0.1, 0]))
    hit = search.search_now(alice, shelf, "Umtausch")  # no word of it stands in the text
    assert hit.by_meaning and not hit.problem
    assert (hit.found[0].heading, hit.found[0].meaning_place) == ("Price policy › Refunds", 1)
    assert AuditEvent.objects.filter(type="embedding", actor="Alice", team="Team A").count() == 1

    upstream.enqueue("no", status=400)
    hit = search.search_now(alice, shelf, "refund")
    assert not hit.by_meaning and hit.problem and hit.found[0].words_place == 1, "words still find it"

    documents.save_version(actor=live.alice, document=live.policy, text=POLICY.replace("30 days", "60 days"))
    assert Passage.objects.filter(version__number=2, embedding=None).count() == 1, "the others keep what was paid for"
    found = search.search_now(None, shelf, "refund").found
    assert [(one.version, "60 days" in one.text) for one in found] == [(2, True)]
    documents.make_current(
        actor=live.alice, document=live.policy, version=access.version_for(live.policy, 1), seen_current=2
    )
    assert [one.version for one in search.search_now(None, shelf, "refund").found] == [1]


def test_it_says_what_keeps_vectors_from_being_made_and_tries_again(
    live: World, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    collections.change_collection(actor=live.alice, collection=live.support, model=live.model)
    upstream.enqueue("no", status=400)
    assert not making.make_vectors(live.support.pk)
    live.support.refresh_from_db()
    assert live.support.problem and live.support.held_until is None
    assert live.support.retry_at is not None and sql.collections_waiting(now()) == []
    waits = []
    # Longer than is kept; fewer than were asked for; too large for single precision.
    for answer in (vectors(*[[0.5] * 16_001] * 3), vectors([1, 0]), vectors([0, 1], [1, 1e39], [1, 1])):
        upstream.enqueue(answer)
        assert not making.make_vectors(live.support.pk)
        live.support.refresh_from_db()
        assert live.support.problem.startswith(("The embeddings model answers", "The provider")), live.support.problem
        waits.append(live.support.retry_at - now())
    assert waits[1] > 1.5 * waits[0] > making.RETRY, "what fails again is asked for less often"
    upstream.enqueue(vectors([0, 1], [1, 0], [1, 1]))
    with monkeypatch.context() as away, pytest.raises(OperationalError):
        away.setattr(sql, "write_vectors", Mock(side_effect=OperationalError))
        making.make_vectors(live.support.pk)
    live.support.refresh_from_db()
    assert live.support.held_until is None and "could not be kept" in live.support.problem
    collections.retry_vectors(actor=live.alice, collection=live.support)
    assert sql.collections_waiting(now()) == [live.support.pk]
    asked = len(upstream.seen)
    Collection.objects.filter(pk=live.support.pk).update(held_until=now() + making.LEASE)
    assert not making.make_vectors(live.support.pk) and len(upstream.seen) == asked, "somebody is at it"
    Collection.objects.filter(pk=live.support.pk).update(held_until=now())
    upstream.enqueue(vectors([0, 1], [1, 0], [1, 1]))
    assert not making.make_vectors(live.support.pk)
    assert not Passage.objects.filter(embedding=None).exists()
    documents.rename_document(actor=live.alice, document=live.policy, name="Returns")
    upstream.enqueue(vectors([0, 1], [1, 0], [1, 1]))
    assert not making.make_vectors(live.support.pk)
    assert upstream.seen[-1].body["input"][0].startswith("Returns\n"), "the name belongs to what a passage means"
    other = make.make_model("other-embed", provider=live.provider, capabilities=["embedding"])
    collections.change_collection(actor=live.alice, collection=live.support, model=other)
    assert not Passage.objects.exclude(embedding=None).exists(), "another model begins anew"


def test_a_passage_its_model_refuses_is_named_and_holds_up_no_other(live: World, upstream: Upstream) -> None:
    collections.change_collection(actor=live.alice, collection=live.support, model=live.model)
    too_long = {"error": {"message": "This input is too long."}}
    for answer, status in ((too_long, 400), (too_long, 400), (vectors([0, 1]), 200), (vectors([1, 0]), 200)):
        upstream.enqueue(answer, status=status)
    assert not making.make_vectors(live.support.pk)
    (left,) = Passage.objects.filter(embedding=None)
    live.support.refresh_from_db()
    assert left.title in live.support.problem and "This input is too long." in live.support.problem
    assert live.support.retry_at is not None


def test_vectors_that_come_while_the_model_is_changed_are_not_kept(live: World) -> None:
    collections.change_collection(actor=live.alice, collection=live.support, model=live.model)
    other = make.make_model("other-embed", provider=live.provider, capabilities=["embedding"])

    def write() -> None:
        try:
            passages = {passage.pk: "[0, 1]" for passage in Passage.objects.all()}
            sql.write_vectors(live.support.pk, passages, live.model.pk)
        finally:
            connections.close_all()

    thread = threading.Thread(target=write)
    with transaction.atomic():
        collections.change_collection(actor=live.alice, collection=live.support, model=other)
        thread.start()
        until(lambda: somebody_waits() or not thread.is_alive(), "the vectors are written, or wait for the change")
    thread.join()
    assert not Passage.objects.exclude(embedding=None).exists(), "nobody would make them again for the other model"
