"""The rivals' worker: registers, says so in a file for the health check, and waits for work."""

import socket
import time
from pathlib import Path

import redis

connection = redis.Redis(host="redis")
while True:
    try:
        connection.hset("workers", socket.gethostname(), str(time.time()))
        Path("/tmp/ready").touch()
        connection.blpop(["queue"], timeout=5)
    except redis.exceptions.ConnectionError:
        time.sleep(0.02)
