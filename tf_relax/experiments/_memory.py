"""The C library's memory, kept between the steps of a program."""

import ctypes
import sys

# Parameters of glibc's mallopt and their values, in bytes.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST_MMAP_THRESHOLD = 32 * 2**20  # More is refused.
_KEPT = 512 * 2**20


def keep_freed_memory() -> None:
    """Tells glibc to keep the memory that TensorFlow frees.

    XLA's programs ask for scratch memory again and again. By default glibc
    may give it back to the kernel each time, which then fills it with zeros,
    page by page: a third of the time of a small step. Elsewhere than on Linux
    with glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_TOP_PAD, _KEPT // 8)
