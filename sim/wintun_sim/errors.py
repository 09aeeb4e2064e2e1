"""The errors that every room shares. Each message names the operation, the reason and, where there is one, the repair."""


class WintunSimError(Exception):
    """Base of the errors that this package raises on purpose."""


class UsageError(WintunSimError):
    """The caller gave something that cannot be used: a file, an option, a text. The command line prints it and exits 2."""


class UnavailableError(WintunSimError):
    """Something that this installation was built without is needed. The command line prints it and exits 2."""
