"""Tells of exceptions. The driver, python.py, executes this with the first."""

import linecache
import traceback


def text(kind, value, tb, sources, driver):
    """Returns what the interpreter would print of an exception: the frames from
    the first of a cell on, without those of the driver."""
    for name, source in sources.items():
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    if isinstance(value, SyntaxError) and value.text is None and value.filename in sources and value.lineno:
        lines = sources[value.filename].splitlines()  # the compiler of a tree has none
        value.text = lines[value.lineno - 1] if value.lineno <= len(lines) else None
    while tb is not None and tb.tb_frame.f_code.co_filename not in sources:
        tb = tb.tb_next
    shown = traceback.TracebackException(kind, value, tb)
    for i, frame in enumerate(shown.stack):
        if (frame.filename, frame.name) == (driver, "interrupted"):
            del shown.stack[i:]
            break
    hidden = "display", "tell", "await_go", "returns", "take_in", "receive", "more", "start_thread"
    shown.stack[:] = [
        f for f in shown.stack if not (f.filename.startswith("<agb ") or f.filename == driver and f.name in hidden)
    ]
    return "".join(shown.format())
