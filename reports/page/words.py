"""The page's own words, in the language in use: what stands around that which the report says."""

from harness.language import _


def words() -> dict[str, str]:
    """Return every word of the templates by its name there."""
    return _frame() | _parts() | _tables()


def _frame() -> dict[str, str]:
    return {
        "title_one": _("Study {name}"),
        "title_many": _("{count} studies"),
        "subtitle": _("A comparison by Evenbench"),
        "skip": _("Skip to the answer"),
        "contents": _("Contents"),
        "theme": _("Colours"),
        "theme_light": _("light"),
        "theme_dark": _("dark"),
        "png": _("Picture as PNG"),
        "footer": _("Made by Evenbench {version} from the records of the runs. This page needs no network."),
    }


def _parts() -> dict[str, str]:
    return {
        "answer": _("The answer"),
        "answer_table": _("Every row, fastest first"),
        "key": _(
            "A point is a row's seconds per example over those of the fastest row of its task, with the 95 % interval "
            "of that pair. Filled: the difference is shown; open: it is not, and there may still be one."
        ),
        "choose": _("What to choose"),
        "speed": _("Speed"),
        "quality": _("Quality"),
        "start": _("Start-up"),
        "memory": _("Memory"),
        "mistakes": _("Students' mistakes"),
        "trouble": _("Failures, and what is not comparable"),
        "choice": _("How the choice was made"),
        "curves": _("Learning curves"),
        "messages": _("What the frameworks said of each mistake"),
        "evidence": _("What the nets learned"),
        "instruments": _("Instruments: parity, limits, noise, the machine"),
        "how_to_read": _(
            "A verdict holds for all pairs of a study together; an interval is that of its own pair. Examples/s is the "
            "median of the processes and × slower is of geometric means, so that their orders can differ. The training "
            "loop is Evenbench's own; where a backend's settings say steps_per_call, so many steps are one call into "
            "it."
        ),
        "table_of": _("The numbers of this picture"),
        "details": _("Task by task: all rows, all pairs, remarks"),
        "troubles": _("What went wrong"),
        "remarks": _("Remarks"),
        "damaged": _("Damaged records, left out"),
        "machine": _("Machine"),
        "backends": _("Backends: versions, settings and known traps"),
        "legend": _("What the numbers mean"),
        "quality_is": _("quality: {metric}"),
        "main_table": _("{place}: all rows"),
        "left_out_parts": _("and {count} other ones, which the Markdown report holds"),
    }


def _tables() -> dict[str, str]:
    return {
        "filter": _("Filter rows"),
        "shown_rows": _("{shown} of {all} rows"),
        "left_out": _("{count} other rows are left out here; the CSV holds all."),
        "sort_hint": _("Sort by this column"),
    }
