"""The embedded stack: all the service needs, from pip packages alone, for demos, development and tests."""
