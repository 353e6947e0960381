"""What reading.py compares with: the orders as a plain DRF project serves them, the way its tutorial does."""
