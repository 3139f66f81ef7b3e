"""Lines for whoever waits: what takes so long, and how long it took."""

from collections.abc import Iterator
import contextlib
import time

from absl import logging


@contextlib.contextmanager
def first_call(what: str, jit_compile: bool) -> Iterator[None]:
    """Logs that a program is made, runs it once, and logs the seconds.

    Args:
      what: the program does.
      jit_compile: whether XLA compiles it.
    """
    verb = "XLA compiles" if jit_compile else "TensorFlow traces"
    logging.info("%s %s, and runs that once ...", verb, what)
    begin = time.perf_counter()
    yield
    logging.info("... which took %.1f s.", time.perf_counter() - begin)
