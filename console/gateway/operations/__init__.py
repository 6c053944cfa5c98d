"""What can be asked of a model. A new operation is a file here, a shape in `shapes/` and a line below."""

from console.gateway.operations.chat import Chat
from console.gateway.operations.completion import Completion
from console.gateway.operations.embedding import Embedding
from console.gateway.operations.message import Message
from console.gateway.operations.response import Response
from console.gateway.operations.types import Operation

OPERATIONS: dict[str, Operation] = {
    "chat": Chat(),
    "completion": Completion(),
    "embedding": Embedding(),
    "message": Message(),
    "response": Response(),
}
