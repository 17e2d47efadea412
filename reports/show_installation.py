"""What a record holds of its backend's installation and of students' mistakes, for a person at a terminal."""

from harness.language import _
from harness.record import Record
from reports import said_mistakes, text


def installation(record: Record) -> dict[str, str]:
    """Return what it took to install the backend, nothing for a record that does not say."""
    found = record.installation
    facts = {
        _("built in"): "" if found.install_s is None else f"{text.seconds(found.install_s)} s, {found.installer}",
        _("files"): "" if found.bytes is None else f"{text.megabytes(found.bytes)} MB",
        _("distributions"): "" if found.packages is None else f"{found.packages:,}",
        _("why there are no figures"): found.reason,
        _("adapter's lines of code"): "" if found.adapter_lines is None else f"{found.adapter_lines:,}",
    }
    return {name: value for name, value in facts.items() if value}


def mistakes(record: Record) -> dict[str, str]:
    """Return what the backend said of every mistake."""
    return {
        said_mistakes.title(one): f"{said_mistakes.ending_word(one)}: {said_mistakes.said(one)}"
        for one in record.mistakes
    }
