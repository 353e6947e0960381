"""The Merkle tree of RFC 6962 over a stream of leaves, in memory that grows with its height alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from orders.evidence import leaf, node


@dataclass(slots=True)
class _Subtree:
    """A perfect tree over `size` leaves; `watched`: those of them to be proven lie in it."""

    size: int
    hash: bytes
    watched: bool


@dataclass(slots=True)
class Tree:
    """`proof`: the way from the watched leaf to the root, as (side, hash) of what stands beside it."""

    proof: list[tuple[str, bytes]] = field(default_factory=list)
    _subtrees: list[_Subtree] = field(default_factory=list)

    def add(self, head: bytes, *, watched: bool = False) -> None:
        """The next leaf; at most one is `watched`."""
        self._subtrees.append(_Subtree(1, leaf(head), watched))
        while len(self._subtrees) > 1 and self._subtrees[-2].size == self._subtrees[-1].size:
            self._join()

    def root(self) -> bytes:
        """Of all leaves; nothing can be added after that."""
        while len(self._subtrees) > 1:
            self._join()
        return self._subtrees[0].hash if self._subtrees else hashlib.sha256().digest()

    def _join(self) -> None:
        right, left = self._subtrees.pop(), self._subtrees.pop()
        if left.watched:
            self.proof.append(("right", right.hash))
        elif right.watched:
            self.proof.append(("left", left.hash))
        joined = node(left.hash, right.hash)
        self._subtrees.append(_Subtree(left.size + right.size, joined, left.watched or right.watched))
