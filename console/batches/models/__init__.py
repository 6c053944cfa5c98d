"""Files, batches, and the lines of batches."""

from console.batches.models.batches import Batch as Batch
from console.batches.models.batches import State as State
from console.batches.models.files import File as File
from console.batches.models.files import FileChunk as FileChunk
from console.batches.models.files import Purpose as Purpose
from console.batches.models.lines import Line as Line
from console.batches.models.lines import LineState as LineState
