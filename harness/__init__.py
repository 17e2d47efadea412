"""The machine of Evenbench: plan, isolate, measure, record. Imports no framework and no pandas."""

__version__ = "0.1.0"


def load(study):  # type: ignore[no-untyped-def]
    """Return the records of one study as the tidy pandas frame that the reports use.

    Args:
        study: a study's folder, or its name under `results/`.
    """
    from reports.frame import load as load_frame  # the one road from here to pandas, taken only on demand

    return load_frame(study)
