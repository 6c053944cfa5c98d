"""Tables of the JSON face itself."""

from django.db import models


class IdempotencyClaim(models.Model):
    """That one request holds an Idempotency-Key. What came of it is in the audit log, under the request's id."""

    digest = models.BinaryField(primary_key=True, max_length=32, help_text="Of credential, route and key.")
    body_sha256 = models.BinaryField(max_length=32, help_text="Of the canonical body.")
    request_id = models.UUIDField()
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.request_id)


class ManagementClaim(models.Model):
    """That a change of the management API was made under an Idempotency-Key, and what was answered."""

    digest = models.BinaryField(primary_key=True, max_length=32, help_text="Of credential, route and key.")
    body_sha256 = models.BinaryField(max_length=32, help_text="Of the canonical body.")
    request_id = models.UUIDField()
    status = models.PositiveSmallIntegerField()
    answer = models.TextField(blank=True, help_text="JSON, redacted, without what is shown once.")
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.request_id)


class ForgottenResponse(models.Model):
    """That a response was deleted by its caller. What it was is in the audit log, which keeps what it keeps."""

    id = models.UUIDField(primary_key=True, editable=False, help_text="The id of its request.")
    forgotten_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.pk)
