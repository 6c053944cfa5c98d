"""The pages of batches: who sees what, uploading, cancelling, running again, downloading."""

import datetime as dt
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from console.audit.models import AuditEvent
from console.batches.models import Batch, File, Line
from console.batches.services.batches import create_batch, rerun_batch
from console.batches.services.creator import Creator
from console.batches.services.files import delete_file, prune_files, upload_file
from console.core.errors import Conflict
from console.teams.actors import Actor
from console.teams.models import Role, User
from tests import make
from tests.at_once import at_once
from tests.batches.conftest import CHAT, jsonl, line
from tests.between import After, somebody_waits
from tests.conftest import Cast
from tests.make import client_of
from tests.waiting import until

As = Callable[[User], Client]


@pytest.fixture
def as_(db: None) -> As:
    return client_of


@pytest.fixture
def batch(cast: Cast) -> Batch:
    """A batch of bob's in Team A."""
    creator = Creator(Actor("user", cast.bob.pk, "Bob"), cast.team_a, "production", person_id=cast.bob.pk)
    file = upload_file(creator=creator, filename="tickets.jsonl", purpose="batch", content=[jsonl(line(1), line(2))])
    return create_batch(creator=creator, file=file, endpoint=CHAT)


def test_a_file_is_not_deleted_under_a_batch_that_begins(committed_db: None) -> None:
    cast = Cast()
    bob = Actor("user", cast.bob.pk, "Bob")
    creator = Creator(bob, cast.team_a, "production", person_id=cast.bob.pk)

    def begin(file: File) -> Batch | None:
        try:
            return create_batch(creator=creator, file=file, endpoint=CHAT)
        except File.DoesNotExist:
            return None

    def uploaded() -> File:
        return upload_file(creator=creator, filename="tickets.jsonl", purpose="batch", content=[jsonl(line(1))])

    gone = uploaded()
    delete_file(actor=bob, file=gone)
    assert begin(gone) is None, "it was deleted since it was looked up"
    for file in (uploaded(), uploaded(), uploaded()):
        made, _ = at_once(partial(begin, file), partial(delete_file, actor=bob, file=file))
        assert File.objects.filter(pk=file.pk).exists() == (made is not None)


def test_a_file_past_its_time_is_not_removed_under_a_batch_that_begins(committed_db: None) -> None:
    cast = Cast()
    creator = Creator(Actor("user", cast.bob.pk, "Bob"), cast.team_a, "production", person_id=cast.bob.pk)
    file, other = (
        upload_file(creator=creator, filename="tickets.jsonl", purpose="batch", content=[jsonl(line(1))])
        for _ in range(2)
    )
    File.objects.update(expires_at=timezone.now() - dt.timedelta(days=1))
    made: list[Batch] = []

    def begin() -> None:
        try:
            made.append(create_batch(creator=creator, file=file, endpoint=CHAT))
        except File.DoesNotExist:
            pass
        finally:
            connection.close()

    thread = threading.Thread(target=begin)

    def meanwhile() -> None:
        thread.start()
        until(lambda: somebody_waits() or not thread.is_alive(), "the batch is made, or waits for its file")

    with connection.execute_wrapper(After(meanwhile, of='FROM "batches_file"')):
        prune_files()
    thread.join()
    assert File.objects.filter(pk=file.pk).exists() == bool(made)
    assert not File.objects.filter(pk=other.pk).exists()

    kept = upload_file(creator=creator, filename="tickets.jsonl", purpose="batch", content=[jsonl(line(1))])
    create_batch(creator=creator, file=kept, endpoint=CHAT)
    File.objects.update(expires_at=timezone.now() - dt.timedelta(days=1))
    assert prune_files() == 0 and File.objects.filter(pk=kept.pk).exists()


def over(batch: Batch, **fields: Any) -> Batch:
    """End the batch with one line answered and one failed, as a worker would."""
    raw = File.objects.get(pk=batch.input_file_id)
    length = len(jsonl(line(1)).rstrip())
    for number in (1, 2):
        Line.objects.create(
            batch=batch, number=number, custom_id=f"ticket-{number}", offset=(number - 1) * (length + 1), length=length
        )
    Line.objects.filter(number=1).update(state="done")
    Line.objects.filter(number=2).update(
        state="failed", error_code="model_not_found", error_message="The model 'nobody' does not exist."
    )
    output = upload_file(
        creator=Creator(Actor("system", None, "Facet"), batch.team, "production", person_id=batch.person_id),
        filename="out.jsonl",
        purpose="user_data",
        content=[b'{"custom_id": "ticket-1"}\n'],
    )
    values = {"state": "completed", "total": 2, "completed": 1, "failed": 1, "output_file": output, **fields}
    Batch.objects.filter(pk=batch.pk).update(completed_at=timezone.now(), in_progress_at=raw.created_at, **values)
    batch.refresh_from_db()
    return batch


def test_it_opens_by_the_id_a_program_printed(cast: Cast, as_: As, batch: Batch) -> None:
    for name in (batch.public_id, batch.pk.hex):
        assert as_(cast.bob).get(f"/batches/{name}/")["Location"] == f"/batches/{batch.pk}/"
    stranger = as_(cast.charlie)
    assert stranger.get(f"/batches/{batch.public_id}/").status_code == 404
    assert stranger.get("/batches/batch_nothing/").status_code == 404


def test_it_lists_what_runs_and_what_is_over(cast: Cast, as_: As, batch: Batch, django_assert_max_num_queries) -> None:
    Batch.objects.update(state="in_progress", total=3600, completed=2440, failed=8, in_progress_at=timezone.now())
    page = as_(cast.alice).get("/batches/").content.decode()
    assert "2,448 of 3,600" in page and "68 %" in page and 'hx-trigger="every 2s"' in page
    piece = as_(cast.alice).get("/batches/?piece=lists", headers={"HX-Request": "true"})
    assert piece.status_code == 200 and b"<html" not in piece.content
    over(batch)
    piece = as_(cast.alice).get("/batches/?piece=lists", headers={"HX-Request": "true"})
    assert piece.status_code == 286 and "every 2s" not in piece.content.decode() and "Completed" in str(piece.content)
    for _ in range(10):
        Batch.objects.create(
            team=cast.team_a, creator="x", name="more", endpoint=CHAT, input_file_id=batch.input_file_id,
            environment="production", state="cancelled", expires_at=timezone.now(), cancelled_at=timezone.now(),
        )  # fmt: skip
    client = as_(cast.alice)
    client.get("/batches/")
    with django_assert_max_num_queries(14):
        client.get("/batches/")


def test_it_teaches_when_there_is_none_and_hides_others(cast: Cast, as_: As, batch: Batch) -> None:
    page = as_(cast.charlie).get("/batches/").content.decode()
    assert "curl http://testserver/v1/files" in page and "tickets.jsonl</a>" not in page
    for path in ("", "cancel/", "run-again/", "output/"):
        method = as_(cast.charlie).post if path == "run-again/" else as_(cast.charlie).get
        assert method(f"/batches/{batch.pk}/{path}").status_code == 404


def test_it_takes_a_file_and_runs_it_in_the_persons_name(cast: Cast, as_: As) -> None:
    client = as_(cast.bob)
    assert "Start batch" in client.get("/batches/new/").content.decode()
    given = {"team": cast.team_a.slug, "endpoint": CHAT, "environment": "sandbox"}
    for content, said in ((b"", "The file is empty."), (None, "This field is required.")):
        more = {} if content is None else {"file": SimpleUploadedFile("tickets.jsonl", content)}
        wrong = client.post("/batches/new/", given | more)
        assert wrong.status_code == 422 and said in wrong.content.decode()
    strange = client.post("/batches/new/", given | {"team": "team-b", "file": SimpleUploadedFile("a", b"{}")})
    assert strange.status_code == 422 and not Batch.objects.exists() and not File.objects.exists()
    file = SimpleUploadedFile("../../tickets\u202e.jsonl", jsonl(line(1)))
    made = client.post("/batches/new/", given | {"file": file})
    batch = Batch.objects.get()
    assert made.status_code == 302 and made["Location"] == f"/batches/{batch.pk}/"
    assert (batch.name, batch.person, batch.key, batch.environment) == ("tickets.jsonl", cast.bob, None, "sandbox")
    assert set(AuditEvent.objects.filter(actor_id=cast.bob.pk, type="admin").values_list("action", flat=True)) == {
        "file.uploaded",
        "batch.created",
    }


def test_it_refuses_a_form_that_is_too_large_before_reading_it(cast: Cast, as_: As, settings: Any) -> None:
    settings.FILE_MAX_BYTES = 1024
    large = SimpleUploadedFile("a.jsonl", b"x" * 100_000)
    response = as_(cast.bob).post("/batches/new/", {"team": cast.team_a.slug, "endpoint": CHAT, "file": large})
    assert response.status_code in {400, 413} and not File.objects.exists()


def test_it_shows_errors_by_code_and_gives_the_files_to_those_who_may(cast: Cast, as_: As, batch: Batch) -> None:
    over(batch)
    carla = make.make_member(cast.team_a, role=Role.MEMBER)
    page = as_(cast.bob).get(f"/batches/{batch.pk}/").content.decode()
    assert "model_not_found" in page and "ticket-2" in page and "every 2s" not in page
    output = as_(cast.bob).get(f"/batches/{batch.pk}/output/")
    assert b"".join(output.streaming_content) == b'{"custom_id": "ticket-1"}\n'
    assert output["Content-Type"] == "application/octet-stream"
    assert output["Content-Disposition"] == f'attachment; filename="{batch.public_id}_output.jsonl"'
    assert AuditEvent.objects.filter(action="file.read", actor_id=cast.bob.pk).count() == 1
    assert as_(cast.bob).get(f"/batches/{batch.pk}/errors/").status_code == 404
    assert "people who may read content" in as_(carla).get(f"/batches/{batch.pk}/").content.decode()
    assert as_(carla).get(f"/batches/{batch.pk}/output/").status_code == 403
    assert as_(cast.alice).get(f"/batches/{batch.pk}/output/").status_code == 200


def test_it_cancels_for_its_maker_and_for_who_manages_keys(cast: Cast, as_: As, batch: Batch) -> None:
    carla = make.make_member(cast.team_a, role=Role.MEMBER)
    assert as_(carla).post(f"/batches/{batch.pk}/cancel/").status_code == 403
    assert "Cancel batch" in as_(cast.bob).get(f"/batches/{batch.pk}/cancel/").content.decode()
    assert as_(cast.alice).post(f"/batches/{batch.pk}/cancel/").status_code == 302
    batch.refresh_from_db()
    assert (batch.state, batch.ends_as) == ("cancelling", "cancelled") and batch.cancelling_at
    assert AuditEvent.objects.filter(action="batch.cancelled", actor_id=cast.alice.pk).count() == 1
    over(batch)
    as_(cast.bob).post(f"/batches/{batch.pk}/cancel/")
    assert Batch.objects.get(pk=batch.pk).state == "completed", "what is over stays as it is"


def test_it_deletes_what_is_over_for_its_maker_and_for_who_manages_keys(cast: Cast, as_: As, batch: Batch) -> None:
    carla = make.make_member(cast.team_a, role=Role.MEMBER)
    page = f"/batches/{batch.pk}/"
    assert "Delete" not in as_(cast.bob).get(page).content.decode()
    as_(cast.bob).post(f"{page}delete/")
    assert Batch.objects.filter(pk=batch.pk).exists(), "what is under way is cancelled first"
    over(batch)
    creator = Creator(Actor("user", cast.bob.pk, "Bob"), cast.team_a, "production", person_id=cast.bob.pk)
    twin = create_batch(creator=creator, file=batch.input_file, endpoint=batch.endpoint)
    assert as_(carla).post(f"{page}delete/").status_code == 403
    assert "Delete" in as_(cast.bob).get(page).content.decode()
    assert "stay in the audit log" in as_(cast.bob).get(f"{page}delete/").content.decode()
    assert as_(cast.alice).post(f"{page}delete/")["Location"] == "/batches/"
    assert list(Batch.objects.all()) == [twin]
    assert [file.purpose for file in File.objects.all()] == ["batch"], "another batch reads its input"
    assert AuditEvent.objects.filter(action="batch.deleted", actor_id=cast.alice.pk).count() == 1


def test_it_runs_failed_lines_again(cast: Cast, as_: As, batch: Batch) -> None:
    over(batch)
    again = as_(cast.bob).post(f"/batches/{batch.pk}/run-again/")
    made = Batch.objects.get(rerun_of=batch)
    assert again["Location"] == f"/batches/{made.pk}/" and made.name == "tickets again.jsonl"
    assert b"".join(bytes(c.body) for c in File.objects.get(pk=made.input_file_id).chunks.all()) == jsonl(line(2))
    carla = make.make_member(cast.team_a, role=Role.MEMBER)
    assert as_(carla).post(f"/batches/{batch.pk}/run-again/").status_code == 403


def test_it_says_why_lines_of_long_ago_are_not_run_again(cast: Cast, batch: Batch) -> None:
    over(batch, total=2, completed=1, failed=1)
    creator = Creator(Actor("user", cast.bob.pk, "Bob"), cast.team_a, "production", person_id=cast.bob.pk)
    Line.objects.all().delete()
    with pytest.raises(Conflict, match="removed after its time"):
        rerun_batch(creator=creator, batch=batch)
    File.objects.filter(pk=batch.input_file_id).delete()
    with pytest.raises(Conflict, match="The input file is gone"):
        rerun_batch(creator=creator, batch=batch)
