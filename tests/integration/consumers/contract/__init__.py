"""What every transport does, whatever queue is behind it: the port's contract, tried at a real broker of each kind."""
