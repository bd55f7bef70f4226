"""What can go wrong, by kind. The command line turns each into one line and an exit code."""


class DlccError(Exception):
    """Something a user can act on: what is wrong with which value, and what to try.

    Args:
        why: what is wrong, and what to try.
        field: the setting that it is about, by the name that people set it by; nothing where it is
            about none. Who talks to people writes it in their language.
        value: what the setting was given.
    """

    exit_code = 1

    def __init__(self, why: str, field: str = "", value: object = None) -> None:
        super().__init__(why, field, value)
        self.why, self.field, self.value = why, field, value

    def __str__(self) -> str:
        return f"{setting_with(self.field, self.value)}: {self.why}" if self.field else self.why


def setting_with(name: str, value: object) -> str:
    """A setting and its value, as far as it has one, as they are typed."""
    if value is None or value is True:
        return name
    return f"{name} {','.join(map(str, value)) if isinstance(value, tuple) else value}"


def reason_of(error: Exception) -> str:
    """Why the machine refused, without number and path: who says it names the file once."""
    cause = getattr(error, "reason", error)  # of a connection
    if said := getattr(cause, "strerror", None):
        return str(said)
    return str(cause).partition(": ")[0] if isinstance(cause, FileNotFoundError) else str(cause)


class UsageError(DlccError):
    """An argument or option that cannot be used as given."""

    exit_code = 2


class DataError(DlccError):
    """A data file, trace or checkpoint that is missing, damaged or of the wrong kind."""

    exit_code = 3


class DeviceError(DlccError):
    """A device that was asked for and is not there."""

    exit_code = 4
