"""Create datasets from a file or the log, and remove them."""

import uuid
from collections.abc import Sequence

from django.db import transaction

from console.audit import actions
from console.audit.services import record
from console.core.errors import BadInput, Conflict
from console.core.ids import request_id
from console.core.races import hold
from console.evals import sampling, uploads
from console.evals.models import GOING_ON, Dataset, DatasetItem
from console.evals.sampling import Sample, Sampling
from console.teams.actors import Actor
from console.teams.models import Team

MOST_DATASETS = 200


def locked(team: Team) -> Team:
    """Have whoever adds to a team's datasets and replays take their turn, so that its bounds hold."""
    return hold(team)


def _name(team: Team, name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 100:
        raise BadInput("A dataset has a name of up to 100 characters.", param="name")
    if Dataset.objects.filter(team=team, name=name).exists():
        raise Conflict(f"{team} has a dataset {name!r} already.", param="name")
    if Dataset.objects.filter(team=team).count() >= MOST_DATASETS:
        raise BadInput(f"A team has at most {MOST_DATASETS} datasets; remove one first.")
    return name


def _free(team: Team, name: str) -> str:
    """Return the name, with a number where the team has a dataset of that name."""
    taken, number, free = set(Dataset.objects.filter(team=team, name__startswith=name).values_list("name")), 1, name
    while (free,) in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _create(
    actor: Actor, team: Team, name: str, source: Dataset.Source, origin: str, items: Sequence[DatasetItem]
) -> Dataset:
    locked(team)
    dataset = Dataset.objects.create(
        team=team, name=_name(team, name), source=source, origin=origin[:500], made_by_name=actor.name
    )
    for item in items:
        item.dataset = dataset
    DatasetItem.objects.bulk_create(items, batch_size=100)
    detail = {"items": len(items), "source": source.value, "origin": dataset.origin}
    record(actions.DATASET_CREATED, actor=actor, target=dataset, detail=detail)
    return dataset


@transaction.atomic
def upload_dataset(*, actor: Actor, team: Team, name: str, text: str, form: str, filename: str = "") -> Dataset:
    """Make a dataset of the lines of a file."""
    if form not in uploads.FORMATS:
        raise BadInput(f"The format is one of {', '.join(uploads.FORMATS)}.", param="format")
    items = uploads.read(text, form)
    origin = filename or uploads.FORMATS[form]
    return _create(actor, team, name, Dataset.Source.UPLOAD, origin, items)


def sample_dataset(
    *, actor: Actor, team: Team, name: str, wanted: Sampling, chosen: str, is_named: bool = True
) -> tuple[Dataset, Sample]:
    """Make a dataset of records of the team's log. That their content was read is recorded. `chosen` is in words.

    A name that nobody gave (`is_named`) gets a number where it is taken.
    """
    _check_number(wanted.number)
    sample = sampling.draw(wanted)
    if not sample.items:
        message = f"The log has no record to sample: {chosen}."
        raise BadInput(f"{message} {sample.summary}".strip())
    with transaction.atomic():
        locked(team)
        name = name if is_named else _free(team, name)
        dataset = _create(actor, team, name, Dataset.Source.LOG, chosen, sample.items)
        detail = {
            "dataset": dataset.name,
            "filter": chosen,
            "records": len(sample.items),
            "first": request_id(min(_ids(sample))),
            "last": request_id(max(_ids(sample))),
        }
        record(actions.CONTENT_SAMPLED, actor=actor, target=dataset, detail=detail)
    return dataset, sample


def _ids(sample: Sample) -> list[uuid.UUID]:
    return [item.record_id for item in sample.items if item.record_id is not None]


def _check_number(number: int) -> None:
    if not 1 <= number <= uploads.MOST_ITEMS:
        raise BadInput(f"A sample has from 1 to {uploads.MOST_ITEMS} records.", param="number")


@transaction.atomic
def delete_dataset(*, actor: Actor, dataset: Dataset) -> None:
    """Remove a dataset with its replays; the calls they made stay in the log."""
    dataset = hold(dataset, "team")
    if dataset.replays.filter(status__in=GOING_ON).exists():
        raise Conflict("A replay of this dataset is going on; stop it first.")
    detail = {"items": dataset.items.count(), "replays": dataset.replays.count(), "origin": dataset.origin}
    record(actions.DATASET_DELETED, actor=actor, target=dataset, detail=detail)
    dataset.delete()


def read_item(*, actor: Actor, item: DatasetItem) -> None:
    """Record that somebody looked at what an item says."""
    dataset = item.dataset
    detail = {"item": item.place, **({"record": request_id(item.record_id)} if item.record_id else {})}
    record(actions.DATASET_READ, actor=actor, target=dataset, detail=detail)


def read_all(*, actor: Actor, dataset: Dataset, items: int) -> None:
    """Record that somebody was given the items of a dataset."""
    record(actions.DATASET_READ, actor=actor, target=dataset, detail={"items": items})
