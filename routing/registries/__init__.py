"""Service registries, a file for each kind; `routing.registry` asks whichever the configuration names."""
