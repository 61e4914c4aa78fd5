"""What the rivals run: the same Redis, a FastAPI service and workers that register in Redis.

The controller is for the floor alone: whoever uses compose has none.
"""

CONTAINERS = {
    "redis": "redis-server --appendonly yes --appendfsync always --dir /data --protected-mode no",
    "master": "python3 -m uvicorn --app-dir /app app:app --host 0.0.0.0 --port 8000",
    "worker": "python3 /app/worker.py",
    "controller": "python3 /app/controller.py",
}
PORTS = {"compose": 18472, "floor": 18473}
