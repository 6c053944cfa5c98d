"""What people were refused is in the log."""

import pytest
from django.test import Client

from console.audit import actions
from console.audit.models import AuditEvent
from console.core.ids import request_id
from tests.audit.calls import a_call, a_chat
from tests.conftest import Cast
from tests.make import client_of

pytestmark = pytest.mark.django_db


def refused() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=actions.REQUEST_REFUSED.name))


def test_a_refused_request_is_a_record_with_its_reason(cast: Cast) -> None:
    identifier = a_call(cast.team_a, content=a_chat("Hello", "Hi"))
    path = f"/audit/{request_id(identifier)}/content/"
    assert client_of(cast.bob).get(path).status_code == 403
    (line,) = refused()
    assert (line.actor, line.status, line.http_status, line.code) == ("Bob", "refused", 403, "policy_denied")
    assert line.target == f"GET {path}" and "Your role" in line.reason


def test_what_is_allowed_or_not_there_is_no_refusal(cast: Cast) -> None:
    client = client_of(cast.alice)
    assert client.get("/audit/").status_code == 200
    assert client.get("/audit/req_00000000000070008000000000000000/").status_code == 404
    assert refused() == []


def test_a_stranger_is_sent_to_sign_in_and_leaves_no_line(cast: Cast) -> None:
    assert Client().get("/audit/").status_code == 302
    assert refused() == []
