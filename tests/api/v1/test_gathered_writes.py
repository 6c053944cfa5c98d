import asyncio

from console.api.v1.server import Gathered


class Socket:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def write(self, data: bytes) -> None:
        self.seen.append(data)

    def close(self) -> None:
        self.seen.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.seen


async def test_it_writes_once_a_turn_and_loses_nothing_when_it_is_closed():
    socket = Socket()
    gathered = Gathered(socket, asyncio.get_running_loop())  # type: ignore[arg-type]
    gathered.write(b"head ")
    gathered.write(b"body")
    assert not socket.seen
    await asyncio.sleep(0)
    assert socket.seen == [b"head body"]
    gathered.write(b"last")
    gathered.close()
    await asyncio.sleep(0)
    assert socket.seen == [b"head body", b"last", "closed"] and gathered.is_closing()
    gathered.write(b"too late")
    await asyncio.sleep(0)
    assert socket.seen[-1] == "closed"
