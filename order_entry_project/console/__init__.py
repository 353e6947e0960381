"""The operators' console: its frame, its home page, its accounts. Pages of the models stand beside the models."""
