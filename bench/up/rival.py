"""What the rivals run: the same Redis, a FastAPI service and workers that register in Redis.

Run inside the containers as ``python3 /app/rival.py worker``; imported there by uvicorn for ``app``.
"""

import socket
import sys
import time
from pathlib import Path

CONTAINERS = {
    "redis": "redis-server --appendonly yes --appendfsync always --dir /data --protected-mode no",
    "master": "python3 -m uvicorn --app-dir /app app:app --host 0.0.0.0 --port 8000",
    "worker": "python3 /app/rival.py",
}
PORTS = {"compose": 18472, "floor": 18473}


def work() -> None:
    """Register, say so in the file that the health check looks at, and wait for work."""
    import redis

    connection = redis.Redis(host="redis")
    while True:
        try:
            connection.hset("workers", socket.gethostname(), str(time.time()))
            Path("/tmp/ready").touch()
            connection.blpop(["queue"], timeout=5)
        except redis.exceptions.ConnectionError:
            time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(work())
