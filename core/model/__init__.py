"""The engine's words, as both wings speak them: frozen msgspec structs, PascalCase in JSON as on Docker's wire."""
