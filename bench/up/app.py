"""The rivals' master: a FastAPI service that answers when Redis does."""

import redis.asyncio as redis
from fastapi import FastAPI

app = FastAPI()
connection = redis.Redis(host="redis")


@app.get("/ready")
async def ready() -> dict[str, int]:
    """Say how many workers have registered."""
    return {"workers": len([name async for name, _ in connection.hscan_iter("workers")])}
