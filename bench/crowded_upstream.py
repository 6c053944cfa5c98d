"""A provider with few places: `python -m bench.crowded_upstream PORT PLACES MILLISECONDS`. Who finds none waits.

Real providers are like this when they are at their limit, and do not say so with a 429.
"""

import asyncio
import json
import sys

from tests.upstream import completion, head, sse, text_chunks


async def main(port: int, places: int, seconds: float) -> None:
    place = asyncio.Semaphore(places)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
                length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
                body = json.loads(await reader.readexactly(length)) if length else {}
                async with place:
                    await asyncio.sleep(seconds)
                if body.get("stream"):
                    writer.write(head(200, "text/event-stream") + sse(*text_chunks("Hello", " there", "."), "[DONE]"))
                    await writer.drain()
                    return
                raw = json.dumps(completion()).encode()
                writer.write(head(200, "application/json", len(raw)) + raw)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port, backlog=512) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) / 1000))
