"""The command line with the fakes in the table of backends, for tests that need a process of its own.

Its studies have few turns and do not measure the limits of the machine, which are not what those tests are about.
"""

from functools import partial

from fakes import entries

import backends
from harness.cli import planning
from harness.runs import turns
from harness.runs.conductor import Plan

FEW_TURNS = 4

if __name__ == "__main__":
    backends.TABLE.update(entries())
    turns.MEASURES.update(dict.fromkeys(turns.MEASURES, FEW_TURNS))
    vars(planning)["Plan"] = partial(Plan, with_ceilings=False)
    from harness.cli.main import main

    main()
