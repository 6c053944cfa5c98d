"""Made-up rows: as many as asked for, within the days, sound in every column."""

import io

import pytest
from django.core.management import CommandError, call_command

from console.audit.models import AuditEvent, Payload
from console.audit.services import verify
from console.audit.services.seal import seal
from console.core.clock import now
from console.core.ids import time_of
from tests import make
from tests.audit.calls import until_finished
from tests.make import client_of


@pytest.mark.django_db(transaction=True)
def test_it_makes_believable_records() -> None:
    team = make.make_team("Team A")
    out = io.StringIO()
    before = list(AuditEvent.objects.values_list("pk", flat=True))
    call_command("generate_audit", rows=3000, days=2, teams=2, projects=5, content=0.1, stdout=out)
    assert "Inserted 3000 made-up records" in out.getvalue()
    assert AuditEvent.objects.count() == len(before) + 3000
    assert {"ok", "refused"} <= set(AuditEvent.objects.values_list("status", flat=True))
    assert AuditEvent.objects.filter(team_id=team.pk).count() > 500
    assert Payload.objects.count() > 100
    assert AuditEvent.objects.filter(metadata__project="project-0").count() > 500
    for event in AuditEvent.objects.exclude(pk__in=before)[:200]:
        assert event.at <= now() and abs((time_of(event.pk) - event.at).total_seconds()) < 0.002
    until_finished()
    seal()
    assert list(verify.verify(content=True)) == []
    assert client_of(make.make_user(is_superuser=True)).get("/audit/").status_code == 200


@pytest.mark.django_db
def test_it_refuses_in_production(settings) -> None:
    settings.IS_PRODUCTION = True
    with pytest.raises(CommandError, match="--yes"):
        call_command("generate_audit", rows=1)
