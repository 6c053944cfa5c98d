"""The database refuses to change or delete a version, whoever asks."""

import pytest
from django.db import Error, connection, transaction

from prompts_app.models import Prompt, PromptVersion
from tests.conftest import Cast


@pytest.fixture
def version(cast: Cast) -> PromptVersion:
    prompt = Prompt.objects.create(slug="support/answer", team=cast.team_a)
    return PromptVersion.objects.create(
        prompt=prompt, number=1, content=[{"role": "", "text": "Answer."}], author_name="Alice"
    )


def test_it_refuses_every_way_to_change_or_delete_one(version: PromptVersion) -> None:
    def truncate() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what the set-up left to the end of its transaction
            cursor.execute("TRUNCATE prompts_promptversion CASCADE")

    for attempt in (
        lambda: PromptVersion.objects.update(message="another story"),
        lambda: PromptVersion.objects.filter(pk=version.pk)._raw_delete("default"),
        truncate,
    ):
        with pytest.raises(Error, match="never changed or deleted"), transaction.atomic():
            attempt()
    assert PromptVersion.objects.get().message == ""
