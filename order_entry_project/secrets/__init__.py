"""Where credentials come from: this configuration, files, Safeguard. `sources.py` puts them together."""
