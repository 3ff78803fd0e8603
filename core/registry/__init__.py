"""Speaking to registries: distribution-spec, Docker's token scheme, and what real ones do besides."""
