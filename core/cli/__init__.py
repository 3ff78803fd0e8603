"""Docker's verbs on the command line. Each is imported when it is asked for: `ps` pays for nothing but `ps`."""
