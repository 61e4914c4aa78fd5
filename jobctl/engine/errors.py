"""How an engine fails, as a user is told: one sentence, and the next command to try."""


class EngineError(Exception):
    """Any failure of the engine: one sentence for the user, and the next command to try.

    Subclasses name the failures that callers act on; everything else is this class itself.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class EngineUnreachable(EngineError):
    """No engine answered at the endpoint."""


class EngineDenied(EngineError):
    """The endpoint exists but this user may not use it."""


class NotFound(EngineError):
    """The named object does not exist."""


class Conflict(EngineError):
    """The name is taken, or the object is in use."""


class PortTaken(EngineError):
    """A host port in the request is already bound by somebody else (``port`` 0: not known)."""

    def __init__(self, message: str, hint: str = "", port: int = 0) -> None:
        super().__init__(message, hint)
        self.port = port


class BuildFailed(EngineError):
    """An image build failed; ``log`` holds its last lines."""

    def __init__(self, message: str, log: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.log = log
