"""`onggi build`: what goes to the engine, and how its words are shown."""
