"""Where frameworks live: homes, pins, installers, interpreters, and what this machine is."""
