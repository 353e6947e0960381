"""The console's pages on which people route, cancel, retry and approve."""
