"""A batch of N lines of the first team of `bench.seed`, made by the services; prints its id as JSON."""

import json
import sys
from collections.abc import Iterator

import django

django.setup()

from bench.measure import QUESTION, SYSTEM  # noqa: E402
from console.batches.services.batches import create_batch  # noqa: E402
from console.batches.services.creator import Creator  # noqa: E402
from console.batches.services.files import upload_file  # noqa: E402
from console.teams.actors import Actor  # noqa: E402
from console.teams.models import ApiKey  # noqa: E402


def lines(count: int) -> Iterator[bytes]:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    body = {"model": "support-chat", "max_tokens": 128, "messages": messages}
    for number in range(count):
        one = {"custom_id": f"line-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        yield json.dumps(one).encode() + b"\n"


def main(count: int) -> None:
    key = ApiKey.objects.select_related("team").get(team__slug="team-1")
    actor = Actor("key", key.pk, key.name, "127.0.0.1")
    creator = Creator(actor, key.team, "production", key_id=key.pk)
    file = upload_file(creator=creator, filename="load.jsonl", purpose="batch", content=lines(count))
    batch = create_batch(creator=creator, file=file, endpoint="/v1/chat/completions")
    print(json.dumps({"batch": str(batch.pk)}))


main(int(sys.argv[1]))
