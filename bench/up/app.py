"""The rivals' master: a FastAPI service that answers when Redis does."""

import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.get("/ready")
async def ready() -> dict[str, int]:
    """Say how many workers have registered."""
    reader, writer = await asyncio.open_connection("redis", 6379)
    writer.write(b"HLEN workers\r\n")
    workers = await reader.readline()
    writer.close()
    return {"workers": int(workers[1:])}
