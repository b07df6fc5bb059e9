"""A long wire between two network namespaces: Ethernet frames arrive as many milliseconds later.

`wire.py MILLISECONDS SPACE DEVICE SPACE DEVICE` makes a tap device in each namespace, says `ready`,
and passes frames on until it is ended. Kernels without `netem` (sch_netem) can be tested with it.
"""

import ctypes
import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
FRAME_BYTES_MAX = 65_536
# As netem's own default: what does not fit on the wire is lost.
FRAMES_MAX = 1_000


def tap(space, device):
    """A tap device in a namespace, as the file that its frames are read from and written to."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{space}", encoding="utf8") as place:
        if libc.setns(place.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), f"no namespace {space}")
    end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
    os.set_blocking(end, False)
    return end


def receive(end):
    """A frame, or nothing where the device is down."""
    try:
        return os.read(end, FRAME_BYTES_MAX)
    except OSError:
        return b""


def send(end, frame):
    """Hands a frame to a device; one that is down loses it."""
    try:
        os.write(end, frame)
    except OSError:
        pass


def main(delay_s, ends):
    ways = [(ends[0], ends[1], deque()), (ends[1], ends[0], deque())]
    while True:
        dues = [queue[0][0] for _, _, queue in ways if queue]
        wait_s = max(0.0, min(dues) - time.monotonic()) if dues else None
        readable, _, _ = select.select(ends, [], [], wait_s)
        now = time.monotonic()
        for source, target, queue in ways:
            if source in readable:
                frame = receive(source)
                if frame and len(queue) < FRAMES_MAX:
                    queue.append((now + delay_s, frame))
            while queue and queue[0][0] <= now:
                send(target, queue.popleft()[1])


if __name__ == "__main__":
    MILLISECONDS, FIRST, FIRST_DEVICE, SECOND, SECOND_DEVICE = sys.argv[1:]
    TAPS = [tap(FIRST, FIRST_DEVICE), tap(SECOND, SECOND_DEVICE)]
    print("ready", flush=True)
    main(float(MILLISECONDS) / 1_000, TAPS)
