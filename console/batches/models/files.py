"""Files of a team. Their content is stored in rows, so every process on every machine has it, and backups do."""

from django.db import models

from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import ApiKey, Environment, Team, User


class Purpose(models.TextChoices):
    """What OpenAI's clients may say a file is for. Only `batch` files can be the input of a batch."""

    BATCH = "batch"
    BATCH_OUTPUT = "batch_output"
    ASSISTANTS = "assistants"
    FINE_TUNE = "fine-tune"
    VISION = "vision"
    USER_DATA = "user_data"
    EVALS = "evals"


# What somebody may upload; the other one is ours to write.
UPLOADED = tuple(value for value in Purpose.values if value != Purpose.BATCH_OUTPUT)


class File(models.Model):
    """One file. Until `is_ready` it is still being written, and nobody sees it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="files")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    filename = models.CharField(max_length=255)
    purpose = models.CharField(max_length=20, choices=Purpose.choices)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.BinaryField(max_length=32, null=True)
    key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, related_name="files")
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="files")
    creator = models.CharField(max_length=200, help_text="Who made it, by the name they had.")
    is_ready = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(help_text="Removed after this, unless a batch still needs it.")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["team", "-id"], name="files_of_a_team"),
            models.Index(fields=["expires_at"], name="files_by_expiry"),
        ]

    def __str__(self) -> str:
        return self.filename

    @property
    def public_id(self) -> str:
        return f"file-{self.pk.hex}"


class FileChunk(models.Model):
    """A piece of a file. All but the last have `storage.CHUNK` bytes, so an offset says which piece it is in."""

    file = models.ForeignKey(File, on_delete=models.CASCADE, related_name="chunks")
    number = models.IntegerField()
    body = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "number"], name="one_chunk_per_number")]

    def __str__(self) -> str:
        return f"{self.number} of {self.file_id}"
