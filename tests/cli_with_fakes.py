"""The command line with the fakes in the table of backends, for tests that need a process of its own."""

from fakes import entries

import backends

if __name__ == "__main__":
    backends.TABLE.update(entries())
    from harness.cli.main import main

    main()
