"""What can go wrong, by kind. The command line turns each into one line and an exit code."""


class DlccError(Exception):
    """Something a user can act on: the message names the offending value and what to try."""

    exit_code = 1


class UsageError(DlccError):
    """An argument or option that cannot be used as given."""

    exit_code = 2


class DataError(DlccError):
    """A data file, trace or checkpoint that is missing, damaged or of the wrong kind."""

    exit_code = 3


class DeviceError(DlccError):
    """A device that was asked for and is not there."""

    exit_code = 4
