"""The errors that every room shares. Each message names the operation, the reason and, if there is one, the repair."""


class WintunSimError(Exception):
    """Base of the errors that this package raises on purpose."""


class UsageError(WintunSimError):
    """The caller gave something that cannot be used: a file, an option, a text. The command line exits 2 with it."""


class UnavailableError(WintunSimError):
    """Something that this installation was built without is needed. The command line exits 2 with it."""
