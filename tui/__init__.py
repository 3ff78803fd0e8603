"""onggi's face: a full-screen client of the engine, built on Textual."""
