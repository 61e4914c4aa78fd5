"""What one slot needs to run commands, made once: a launcher, two FIFOs and a bell."""

from __future__ import annotations

import os
import select
from contextlib import suppress

from .channel import Channel
from .launcher import Launcher
from .settings import Settings


class Station:
    """One job uses it at a time. Nothing of it is there before the first one."""

    def __init__(self, settings: Settings, slot: int) -> None:
        self.user = settings.command_user(slot)
        gid = None if self.user is None else self.user.gid
        run = settings.paths.run
        self.printed = Channel(run / f"printed-{slot}", gid)
        self.reported = Channel(run / f"report-{slot}", gid)
        scratch = [str(place) for place in settings.paths.scratch if place.is_dir()]
        self.launcher = Launcher(
            self.user, self.printed, self.reported, scratch if self.user is not None else ()
        )
        self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """An eventfd, readable after an order to the attempt in charge."""

    def lend(self) -> None:
        """Makes the FIFOs ready for a job; OSError if that is impossible."""
        if self.printed.fd >= 0 and self.reported.fd >= 0 and self.launcher.pid:
            return
        # It looks at those that it was started with.
        self.launcher.end()
        try:
            self.printed.lend()
            self.reported.lend()
            self.launcher.start()
        except OSError:
            self.printed.close()
            self.reported.close()
            raise

    def poll(self) -> select.poll:
        """Waits for all that can happen to a job."""
        self.printed.hold()
        poll = select.poll()
        for fd in (self.launcher.line, self.printed.fd, self.reported.fd, self.wake):
            poll.register(fd, select.POLLIN)
        return poll

    def ring(self) -> None:
        """There is an order. Safe from any thread."""
        os.eventfd_write(self.wake, 1)

    def hush(self) -> None:
        """Takes note of all orders so far."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.wake)

    def close(self) -> None:
        """Ends the launcher and removes what was made; no job may be running."""
        self.launcher.close()
        for channel in (self.printed, self.reported):
            channel.close()
            with suppress(OSError):
                os.unlink(channel.path)  # noqa: PTH108
        os.close(self.wake)
