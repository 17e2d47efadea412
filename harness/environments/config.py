"""The optional config file `config.toml` in Evenbench's home: what a machine needs said only once.

[python]
torch = "/opt/vendor/bin/python"    # the interpreter that serves this backend; relative to the file's folder
"""

from pathlib import Path

import msgspec

from harness import registry
from harness.environments.home import home
from harness.errors import UsageError

NAME = "config.toml"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds; everything may be left out."""

    python: dict[str, str] = {}
    """Backend to interpreter."""


def config_file() -> Path:
    """Return where the config file lies, whether it exists or not."""
    return home() / NAME


def read(path: Path | None = None) -> Config:
    """Return what the config file says; a file that is not there says nothing.

    Raises:
        UsageError: the file cannot be read, or a field is unknown or of the wrong type; the text names it.
    """
    path = path or config_file()
    try:
        document = msgspec.toml.decode(path.read_bytes())
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise UsageError("cannot read {path}: {strerror}", path=path, strerror=error.strerror) from error
    except (ValueError, RecursionError) as error:
        raise UsageError("{path} is not TOML: {error}", path=path, error=error) from error
    interpreters = document.get("python", {})
    if isinstance(interpreters, dict):
        _check_interpreters(path, interpreters)
    try:
        return msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise UsageError("{path}: {error}", path=path, error=error) from error


def _check_interpreters(path: Path, interpreters: dict[str, object]) -> None:
    """Refuse an entry by its name, which msgspec's path into a dict (`$.python[...]`) would leave out."""
    for name, value in interpreters.items():
        try:
            registry.entry(name)
        except UsageError as error:
            raise UsageError("{path}: `python.{name}`: {error}", path=path, name=name, error=error) from error
        if not isinstance(value, str):
            raise UsageError(
                "{path}: `python.{name}` must be a string, the path of an interpreter; received {value!r}",
                path=path,
                name=name,
                value=value,
            )
