"""What calls were for: covered by the log's seal."""

import json
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from console.audit.services.seal import seal
from console.audit.services.verify import verify
from tests.audit.calls import a_call, until_finished
from tests.audit.test_seal import tamper
from tests.conftest import Cast

BOOKS = {"project": "books", "tier": "gold"}


def labelled(team: Any, metadata: dict[str, str] | None = None, **more: Any) -> str:
    """The id of a call that says what it was for."""
    return str(a_call(team, metadata=json.dumps(BOOKS if metadata is None else metadata), **more))


@pytest.mark.django_db(transaction=True)
def test_the_seal_covers_it(cast: Cast) -> None:
    call, plain = labelled(cast.team_a), str(a_call(cast.team_a, end_user="customer-1"))
    until_finished()
    seal()
    assert list(verify()) == []
    changes = [(call, {**BOOKS, "tier": "lead"}), (call, None), (call, {}), (plain, BOOKS)]
    for changed, to in changes:
        tamper("UPDATE audit_event SET metadata = %s WHERE id = %s", None if to is None else json.dumps(to), changed)
        (problem,) = verify()
        assert "was changed" in problem.what
        before = json.dumps(BOOKS) if changed == call else None
        tamper("UPDATE audit_event SET metadata = %s WHERE id = %s", before, changed)
        assert list(verify()) == []


@pytest.mark.django_db
def test_a_line_without_it_is_digested_as_before(cast: Cast) -> None:
    """Blocks of the version before stay what they are, and its processes check new ones alike."""
    with connection.cursor() as cursor:
        digest = import_module("console.audit.migrations.0009_kinds_of_tokens").DIGEST
        cursor.execute(digest.replace("audit_digest_1", "digest_before"))
        for row in ({}, {"end_user": "customer-1"}, {"token_kinds": "{}"}):
            call = a_call(cast.team_a, reason='odd "text" \\ ]', **row)
            cursor.execute("SELECT audit_digest_1(e) = digest_before(e) FROM audit_event e WHERE id = %s", [call])
            assert cursor.fetchone() == (True,)
