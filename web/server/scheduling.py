"""Sets how long a process may keep a processor that another process needs (sched_setattr(2), Linux 6.12 or newer)."""

import ctypes
import os
import platform
import struct
import sys

NUMBERS = {"x86_64": 314, "aarch64": 274}
"""Architecture -> the number of its system call sched_setattr."""
_ATTR = struct.Struct("=IIQiIQQQ")
"""struct sched_attr: size, policy, flags, nice, priority, runtime in ns, deadline, period."""
_OTHER = 0


def set_slice(slice_ns: int) -> bool:
    """Set the slice of this thread, and of processes that it will start; return True if it is set.

    The slice is the time in ns during which the thread keeps its processor although another thread is ready to run; 0
    sets the system's default. Systems older than Linux 6.12 ignore the slice. Python has no function for this call.
    """
    if sys.platform != "linux" or platform.machine() not in NUMBERS:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)  # sched_setattr sets the niceness too: keep it
    attributes = _ATTR.pack(_ATTR.size, _OTHER, 0, nice, 0, slice_ns, 0, 0)
    return bool(ctypes.CDLL(None).syscall(NUMBERS[platform.machine()], 0, attributes, 0) == 0)
