"""Where the rounds of a study are done: on this machine, or on the nodes of a Ray cluster."""
