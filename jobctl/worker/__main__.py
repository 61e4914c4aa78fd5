"""`python3 -m jobctl.worker`: the main process of a worker container."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import traceback
from types import FrameType

from jobctl.queue import Queue, connect

from .journal import stdout_journal
from .settings import Settings, SettingsError, from_environment
from .supervisor import Supervisor
from .workqueue import WorkQueue

# New objects before it is looked which of them are garbage. The hundreds of jobs that are here at
# a time are none, and to look through them with every batch cost a thirtieth of the processor.
_BEFORE_A_LOOK = 10_000


def main() -> int:
    """Runs the worker of this container; returns its exit code."""
    gc.set_threshold(_BEFORE_A_LOOK)
    try:
        settings = from_environment(os.environ, socket.gethostname())
        queue = _connect(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error} Try: {error.hint}\n")
        return 1
    return serve(settings, queue)


def serve(settings: Settings, queue: WorkQueue) -> int:
    """Runs a worker in the main thread until a signal ends it; returns the exit code."""
    threading.excepthook = _die
    supervisor = Supervisor(settings, queue, stdout_journal)

    def stop(_number: int, _frame: FrameType | None) -> None:
        supervisor.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return supervisor.run()


def _connect(settings: Settings) -> Queue:
    try:
        password = settings.paths.secret.read_text().strip()
    except OSError as error:
        raise SettingsError(f"The worker cannot read its password: {error.strerror}.") from None
    host, port = settings.redis
    return connect(host, port, "worker", password, settings.project)


def _die(failed: threading.ExceptHookArgs) -> None:
    """A worker that lost a thread looks alive and is deaf: better gone, and started anew."""
    traceback.print_exception(failed.exc_type, failed.exc_value, failed.exc_traceback)
    sys.stderr.flush()
    os._exit(70)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Threads may still wait on their sockets; nothing is left for them to do.
    os._exit(code)
