"""The database refuses to change or delete a version, whoever asks."""

import pytest
from django.db import Error, transaction

from agents_app.models import Agent, AgentVersion
from tests.conftest import Cast


def test_it_refuses_to_change_or_delete_one(cast: Cast) -> None:
    agent = Agent.objects.create(slug="helper", name="Helper", team=cast.team_a)
    version = AgentVersion.objects.create(agent=agent, number=1, alias="assistant", author_name="Alice")
    for attempt in (
        lambda: AgentVersion.objects.update(alias="another"),
        lambda: AgentVersion.objects.filter(pk=version.pk)._raw_delete("default"),
    ):
        with pytest.raises(Error, match="never changed or deleted"), transaction.atomic():
            attempt()
    assert AgentVersion.objects.get().alias == "assistant"
