"""What the rivals run: the same Redis, a FastAPI service and workers that register in Redis.

The controller is for the floor alone: whoever uses compose has none.
"""

from pathlib import Path

import redis

CONTAINERS = {
    "redis": "redis-server --appendonly yes --appendfsync always --dir /data --protected-mode no",
    "master": "python3 -m uvicorn --app-dir /app app:app --host 0.0.0.0 --port 8000",
    "worker": "python3 /app/worker.py",
    "controller": "python3 /app/controller.py",
}
REDIS = str(Path(redis.__file__).parent)
"""The client library of this machine: jobctl's images have none."""

INSIDE = "/rivals/redis"
ENVIRONMENT = {"PYTHONPATH": "/opt/jobctl/site:/rivals"}
PORTS = {"compose": 18472, "floor": 18473}
