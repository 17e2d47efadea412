"""Who cannot be chosen: what parity, the device and the limits of the needs exclude, each with its reason."""

from collections.abc import Mapping

from harness.language import _, ngettext
from harness.registry import reference_name
from harness.versions import base
from reports.choose.known import WHOLE, Candidate, Key, task_of
from reports.choose.needs import Needs, size
from reports.statistics.rows import Row
from reports.words import text


def why_not(key: Key, rows: Mapping[str, Row], candidate: Candidate | None, needs: Needs) -> str | None:
    """Return why a candidate is excluded, None if it is not."""
    if base(key[0]) == reference_name():
        return _("it is the reference, which parity compares with")
    for title, row in rows.items():
        if "fail" in row.parity:
            reason = "; ".join(row.why_not_comparable)
            return _("it does not compute {task}: {reason}").format(
                task=title, reason=reason or text.shared(row.parity)
            )
    if candidate is None or not any(row.comparable for row in rows.values()):
        if needs.limits.device is not None and not rows:
            return _("no run of it was made on {device}").format(device=needs.limits.device)
        reasons = dict.fromkeys(reason for row in rows.values() for reason in (*row.why_not_comparable, *row.reasons))
        return _("none of its runs is comparable: {reasons}").format(reasons="; ".join(list(reasons)[:2]))
    return _beyond_limits(candidate, rows, needs)


def _beyond_limits(candidate: Candidate, rows: Mapping[str, Row], needs: Needs) -> str | None:
    limits = needs.limits
    if limits.memory is not None:
        peaks = {
            task: max(reading.values) for task, reading in candidate.readings["host_memory"].items() if reading.values
        }
        most = size(limits.memory)
        if not peaks:
            return _("its memory was not measured, so that nothing shows that it fits")
        task = max(peaks, key=lambda name: peaks[name])
        if peaks[task] > most:
            peak, allowed = text.sizes(peaks[task], most)
            return _("it took {peak} on {task}, where {most} are allowed").format(peak=peak, task=task, most=allowed)
    if limits.quality_at_least is not None and (reason := _too_bad(rows, limits.quality_at_least)):
        return reason
    return _too_large(candidate, needs)


def _too_bad(rows: Mapping[str, Row], least: float | Mapping[str, float]) -> str | None:
    for title, row in rows.items():
        wanted = least.get(task_of(title)) if isinstance(least, Mapping) else least
        values = row.accuracy_per_seed.values()
        if wanted is None or not values:
            continue
        mean = sum(values) / len(values)
        if mean < wanted:
            return ngettext(
                "its accuracy on {task} is {mean:.4f} with {count} seed, where {wanted} is asked for",
                "its accuracy on {task} is {mean:.4f} over {count} seeds, where {wanted} is asked for",
                len(values),
            ).format(task=title, mean=mean, count=len(values), wanted=wanted)
    return None


def _too_large(candidate: Candidate, needs: Needs) -> str | None:
    limits = needs.limits
    if limits.install_at_most is not None:
        reading, most = candidate.readings["install_size"][WHOLE], size(limits.install_at_most)
        if not reading.values:
            return _("its install size was not measured, so that nothing shows that it fits")
        if reading.values[0] > most:
            found, allowed = text.sizes(reading.values[0], most)
            return _("its installation takes {size}, where {most} are allowed").format(size=found, most=allowed)
    if limits.install_minutes_at_most is not None:
        reading, minutes = candidate.readings["install_minutes"][WHOLE], limits.install_minutes_at_most
        if not reading.values:
            return _("its install time was not measured, so that nothing shows that it is short enough")
        if reading.values[0] > 60 * minutes:
            return _("its installation took {found:.1f} minutes, where {most:g} are allowed").format(
                found=reading.values[0] / 60, most=minutes
            )
    return None
