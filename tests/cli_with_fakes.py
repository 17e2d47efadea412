"""The command line with the fakes in the table of backends, for tests that need a process of its own."""

import backends
from fakes import entries

if __name__ == "__main__":
    backends.TABLE.update(entries())
    from harness.cli import main

    main()
