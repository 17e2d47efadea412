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
        "no_script": _("The pictures need JavaScript. All their numbers stand in the tables."),
        "footer": _("Made by Evenbench {version} from the records of the runs. This page needs no network."),
    }


def _parts() -> dict[str, str]:
    return {
        "answer": _("The answer"),
        "answer_table": _("Speed, quality and memory of every row, fastest first"),
        "how_to_read": _(
            "× slower: seconds per example over the fastest row's. A verdict holds for all pairs of a study together; "
            "an interval is that of its own pair. Where no difference is shown, there may still be one. Examples/s is "
            "the median of the processes and × slower is of geometric means, so that their orders can differ. The "
            "training loop is Evenbench's own; where a backend's settings say steps_per_call, so many steps are one "
            "call into it."
        ),
        "pictures": _("In pictures"),
        "table_of": _("The numbers of this picture"),
        "details": _("In detail"),
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
