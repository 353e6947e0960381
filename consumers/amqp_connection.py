"""pika's connection: with what it writes in one go sent in one go, and able to tell who else answered.

Note on private methods: pika (1.4.4) has no public way to either. It gives each frame to the operating system
by itself, three for a message, which costs more than making them; all frames pass `_output_marshaled_frames`. The
protocol header of a broker that speaks another version it reads, drops, and tells of an incompatible protocol
whatever came; it passes `_process_frame`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pika
from pika.frame import ProtocolHeader


class Connection(pika.SelectConnection):  # type: ignore[misc]
    """`answered_1_0`: the broker has answered with the protocol header of AMQP 1.0."""

    answered_1_0 = False
    _gathered: list[bytes] | None = None

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """All that is written inside the block is sent together at its end."""
        gathered: list[bytes] = []
        self._gathered = gathered
        try:
            yield
        finally:
            self._gathered = None
            if gathered and not self.is_closed:
                super()._output_marshaled_frames([b"".join(gathered)])

    def _output_marshaled_frames(self, marshaled_frames: Sequence[bytes]) -> None:
        if self._gathered is None:
            super()._output_marshaled_frames(marshaled_frames)
        else:
            self._gathered += marshaled_frames

    def _process_frame(self, frame_value: Any) -> None:
        if isinstance(frame_value, ProtocolHeader):
            self.answered_1_0 = frame_value.major == 1
        super()._process_frame(frame_value)
