"""In whose name the lines of a batch are sent: asked again for every line."""

import datetime as dt
import uuid

from console.batches.models import Batch
from console.gateway.identity import PersonIdentity, StartedByKey
from console.gateway.refusals import Identify

_NOBODY = uuid.UUID(int=0)


def identity_of(batch: Batch, at: dt.datetime) -> Identify:
    """Return who sends a line at this moment. For a key or person that is gone, nothing is sent."""
    if batch.person_id is not None:
        return PersonIdentity(batch.person_id, batch.team_id, batch.environment)
    return StartedByKey(batch.key_id or _NOBODY, batch.client_address, at)
