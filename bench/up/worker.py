"""The rivals' worker: registers, says so in a file for the health check, and waits for work."""

import socket
import time
from pathlib import Path

while True:
    try:
        with socket.create_connection(("redis", 6379)) as redis:
            answers = redis.makefile("rb")
            while True:
                redis.sendall(f"HSET workers {socket.gethostname()} {time.time()}\r\n".encode())
                answers.readline()
                Path("/tmp/ready").touch()
                redis.sendall(b"BLPOP queue 5\r\n")
                if not answers.readline():
                    break
    except OSError:
        time.sleep(0.02)
