"""proxy.py PORT HOST:PORT before|after EVERY: passes on, and cuts every so-manieth reply.

Before: the request was carried out, and its reply is lost. After: the reply still gets through.
"""

import contextlib
import itertools
import socket
import sys
import threading


def main(port, target, when, every):
    """Listen until the end of the process."""
    replies = itertools.count(1)
    with socket.create_server(("127.0.0.1", port)) as listener:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            near, _ = listener.accept()
            threading.Thread(target=serve, args=(near, target, when, every, replies)).start()


def serve(near, target, when, every, replies):
    """Connect on, and pass both ways until either ends or is cut."""
    try:
        far = socket.create_connection(target, timeout=5)
    except OSError:
        near.close()
        return
    far.settimeout(None)
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=requests, args=(near, far)).start()
    with contextlib.suppress(OSError):
        while data := far.recv(65536):
            cut = next(replies) % every == 0
            if not (cut and when == "before"):
                near.sendall(data)
            if cut:
                break
    hang_up(near, far)


def requests(near, far):
    """Pass on what goes there."""
    with contextlib.suppress(OSError):
        while data := near.recv(65536):
            far.sendall(data)
    hang_up(near, far)


def hang_up(*ends):
    """Wake whoever reads, and close."""
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


if __name__ == "__main__":
    host, _, far_port = sys.argv[2].partition(":")
    main(int(sys.argv[1]), (host, int(far_port)), sys.argv[3], int(sys.argv[4]))
