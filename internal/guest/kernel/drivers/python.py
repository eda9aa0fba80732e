"""Runs code that comes over the socket on descriptor 3, see package kernel."""


def _agb():
    # What the interpreter has loaded anyhow, or what loads at once: others, such as
    # signal, take a millisecond of every start. Later code may have left nothing to
    # load modules with.
    import _ast
    import _signal
    import _thread
    import builtins
    import io
    import os
    import select
    import sys
    from _json import encode_basestring_ascii as quote
    from time import monotonic

    Module, Namespace = type(sys), type(sys.implementation)
    owner, main_thread = os.getpid(), _thread.get_ident()
    sources = {}  # of the cells, by name
    cell = 0  # the number of the run, 0 while there is none
    running = False

    fd = os.dup(3)  # not inherited by programs that the code starts
    os.close(3)
    pending = bytearray()  # that was read, from the beginning of a frame on
    holding = False  # what must not be interrupted
    due = False  # whether the run was interrupted meanwhile

    def more():
        """Reads more and reports whether there was any. The wait can be interrupted."""
        nonlocal holding, due
        select.select([fd], [], [])
        holding = is_main()  # it is what is interrupted
        data = os.read(fd, 1 << 16)
        pending.extend(data)
        holding = False
        if due and is_main():
            due = False
            raise KeyboardInterrupt
        return len(data) > 0

    def receive():
        """Returns the words and the bodies of a frame, None at the end."""
        while True:
            end = pending.find(b"\n")
            if end >= 0:
                words = bytes(pending[:end]).split()
                sizes = words[3:] if words[0] == b"run" else words[1:]
                at = end + 1
                if len(pending) - at >= sum(0 if n == b"-" else int(n) for n in sizes):
                    bodies = []
                    for n in sizes:
                        size = 0 if n == b"-" else int(n)
                        bodies.append(None if n == b"-" else bytes(pending[at : at + size]))
                        at += size
                    del pending[:at]
                    return words, bodies
            if not more():
                return None, []

    turn = _thread.RLock()  # held while something is read

    returned = []  # what functions returned, for those who called them

    def take_in():
        """Reads a frame and returns its kind, None at the end."""
        words, bodies = receive()
        if words is None:
            return None
        if words[0] == b"return":
            returned.append(bodies[0])
        return words[0]

    def await_go():
        """Waits until the owner says so. Its caller has the turn.

        It gives up at the end, and in a thread whose cell is over: what comes
        next is not for it.
        """
        mine = cell
        while True:
            while not (is_main() or pending or select.select([fd], [], [], 0.02)[0]):
                if cell != mine or not running:
                    return
            if not is_main() and (cell != mine or not running):
                return
            if take_in() in (b"go", None):
                return

    def returns():
        """Returns what functions have returned, None at the end. It waits for some ms, and has the turn."""
        patience = 0.02 if is_main() else 0.002  # the main thread may wait to write
        if not returned and (pending or select.select([fd], [], [], patience)[0]) and may_call() and take_in() is None:
            return None
        taken = returned[:]
        returned.clear()
        return taken

    telling = _thread.RLock()
    unsent = b""  # what is sent with the next frame

    def tell(kind, body, soon=False):
        """Sends a frame, or with soon lets it wait for another that is to come."""
        nonlocal due, unsent
        if os.getpid() != owner:  # a fork of the interpreter has nothing to say
            return
        with telling:
            unsent += b"%s %d\n" % (kind, len(body)) + body
            if soon:
                return
            data, unsent = memoryview(unsent), b""
            while data:
                data = data[os.write(fd, data) :]
        if due and is_main():
            due = False
            raise KeyboardInterrupt

    def is_main():
        return _thread.get_ident() == main_thread

    # Whose is what runs beside the cell. A thread is of the cell that began it,
    # and so is a task, which takes the context along. A thread that the
    # interpreter does not know of has no number and passes for the cell's.

    now = 0  # the number of the run while it is under way
    number = None  # of the cell of what runs, a ContextVar once there is any
    looping = False  # whether the main thread runs tasks

    def track():
        """Has what runs beside cells be told apart."""
        nonlocal number
        if number is None:
            from _contextvars import ContextVar

            number = ContextVar("agb_cell")
            number.set(cell)

    def whose():
        """Returns the number of the cell of what runs."""
        return number.get(cell) if looping or not is_main() else cell

    def is_stale():
        """Reports whether what runs is of a cell that is over. In a fork nothing is."""
        return number is not None and (looping or not is_main()) and number.get(cell) != now and os.getpid() == owner

    def starter(start):
        """Returns start, which starts a thread, with the thread knowing its cell."""

        def start_thread(function, *args, **options):
            return start(beside().of_cell(function), *args, **options)

        return start_thread

    for name in "start_new_thread", "start_joinable_thread":
        if hasattr(_thread, name):
            setattr(_thread, name, starter(getattr(_thread, name)))
            if "threading" in sys.modules:
                setattr(sys.modules["threading"], "_" + name, getattr(_thread, name))

    def beside():
        track()
        given = Namespace(number=number, whose=whose, tell=tell)
        return part("beside", agb=given)

    # Output. What is left of earlier cells writes to their late output.

    ordered = False  # whether somebody reads both outputs as they come
    last_output = None

    def switch(output):
        """Has what was written to the other output read first."""
        nonlocal last_output
        if os.getpid() != owner:  # what is read is not for a fork
            return
        with turn:
            before, last_output = last_output, output
            if before is not None and running:
                before.flush()
                flush_library()
                tell(b"wait", b"")
                await_go()

    credit, credited = 50, 0

    def is_slow():
        """Reports whether less than a part of a line is written each millisecond, or few so far."""
        nonlocal credit, credited
        now = monotonic()
        credit, credited = min(credit + (now - credited) * 1000, 50), now
        if credit < 1:
            return False
        credit -= 1
        return True

    class Output(io.TextIOWrapper):
        """Writes whole lines, and parts of them at once unless they are many: print makes several of each line."""

        def write(self, text):
            if number is not None and is_stale():
                beside().late(output_number(self), text.encode("utf-8", "backslashreplace"))
                return len(text)
            if ordered and self is not last_output:
                switch(self)
            n = super().write(text)
            if text[-1:] != "\n" and is_slow():
                self.flush()
            return n

        @property
        def buffer(self):
            return beside().LateBuffer(output_number(self)) if is_stale() else super().buffer

    def output_number(output):
        return 2 if output is sys.__stderr__ else 1

    def open_output(fd):
        return Output(
            io.BufferedWriter(io.FileIO(fd, "w", closefd=False)),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )

    sys.stdout = sys.__stdout__ = open_output(1)
    sys.stderr = sys.__stderr__ = open_output(2)

    def flush():
        for stream in {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__}:
            try:
                stream.flush()
            except Exception:
                pass
        flush_library()

    # What extensions print waits in the C library.

    looked = 0  # at so many modules
    library = None  # a function that has it written, once there may be any

    def flush_library():
        nonlocal looked, library
        if library is None and looked != len(sys.modules):
            looked = len(sys.modules)
            if any(map(may_print, list(sys.modules.items()))):
                library = open_library()
        if library is not None:
            library()

    def may_print(item):
        """Reports whether a module is ctypes, or an extension that Python has not by itself."""
        try:  # without what a module does when it is asked for an attribute
            file = object.__getattribute__(item[1], "__dict__").get("__file__")
            return item[0] == "ctypes" or file.endswith(".so") and "/lib-dynload/" not in file
        except Exception:
            return False

    def open_library():
        try:
            import ctypes

            library = ctypes.CDLL(None)
            stdout = ctypes.c_void_p.in_dll(library, "stdout")
            return lambda: library.fflush(stdout)
        except Exception:
            return lambda: None

    # Input: end-of-file at once, unless some is given.

    def set_input(data):
        if data is None:
            source = os.open(os.devnull, os.O_RDONLY)
        else:
            source = os.memfd_create("stdin")
            os.write(source, data)
            os.lseek(source, 0, os.SEEK_SET)
        os.dup2(source, 0)
        os.close(source)
        sys.stdin = open(0, closefd=False, encoding="utf-8", errors="surrogateescape")

    # Parts that few cells need, and results that are no plain text, are other
    # files, which are executed when there is something for them.

    files = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    parts = {}

    def part(name, **given):
        if name not in parts:
            module = Module("_agb_" + name)
            module.__dict__.update(given)
            exec(compile(files[name], "<agb %s>" % name, "exec"), module.__dict__)
            parts[name] = module
        return parts[name]

    def report():
        """Prints the exception that is being handled."""
        fail(*sys.exc_info())

    def rich():
        given = dict(quote=quote, flush=flush, tell=tell, report=report, printer=printer, charts=charts, is_stale=is_stale)
        given["late"] = lambda body: beside().late(1, body)
        return part("rich", agb=Namespace(**given))

    def printer():
        return part("text")

    def charts():
        return part("chart", rich=rich())

    def ipython():
        return part("ipython", rich=rich(), charts=charts)

    def is_silenced(node, source):
        """Reports whether a semicolon follows a statement of the source, as IPython has it."""
        if ";" not in source:
            return False
        lines = source.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8").split(b"\n")[node.end_lineno - 1 :]
        lines[0] = lines[0][node.end_col_offset :]
        return b"\n".join(lines).lstrip(b" \t\f\\\n").startswith(b";")

    shown = None  # what the name _ was given

    def show(obj):
        """Shows what the code evaluated to."""
        kind = type(obj)
        if kind in (bool, float) or kind is int and obj.bit_length() < 1000 or kind is str and len(obj) < 1000:
            flush()
            tell(b"item", ('{"main":true,"data":{"text/plain":%s}}' % quote(repr(obj))).encode("ascii"), soon=True)
            return
        rich().show(obj, main=True)

    def display(*objs, **options):
        """Shows each of objs as a result, as display of IPython does."""
        return rich().display(*objs, **options)

    def figures(show=True):
        """Shows the figures that the code drew and left open, and closes them."""
        if hasattr(sys.modules.get("matplotlib.pyplot"), "get_fignums"):
            charts().end(show)

    def fill_lines(linecache, *names):
        """Has sources of cells be found, by what tells of exceptions and by inspect."""
        for name in names or sources:
            source = sources[name]
            linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)

    def change_by_file(module):
        ipython().changes[module.__name__](module)

    changes = dict.fromkeys(
        (
            "matplotlib.pyplot",
            "matplotlib.axes._axes",
            "pandas.core.config_init",
            "plotly.basedatatypes",
            "IPython.core.display_functions",
        ),
        change_by_file,
    )
    changes["concurrent.futures.thread"] = lambda module: beside().change_pool(module)
    changes["linecache"] = fill_lines

    class Changed:
        """Finds modules that are changed when they are imported, by the other finders."""

        def find_spec(self, name, path=None, _target=None):
            if name in changes:
                return part("change", changes=changes).find(name, path, [f for f in sys.meta_path if f is not self])
            return None

    class StandIns:
        """Finds what stands in for IPython."""

        def find_spec(self, name, _path=None, _target=None):
            if name in ("IPython", "IPython.core", "IPython.core.display", "IPython.display"):
                return ipython().find_stand_in(name)
            return None

    if "concurrent.futures.thread" in sys.modules:  # which the image may see to
        beside().change_pool(sys.modules["concurrent.futures.thread"])
    sys.meta_path.insert(0, Changed())
    sys.meta_path.append(StandIns())  # so that a real IPython is found before

    def may_call():
        return running and os.getpid() == owner and not is_stale()

    def functions():
        return part("function", agb=Namespace(quote=quote, tell=tell, returns=returns, turn=turn, may_call=may_call))

    # Running.

    def fail(kind, value, tb):
        """Prints an exception as the interpreter would and returns it."""
        try:
            message = str(value)
        except BaseException:
            message = "<unprintable>"
        try:
            text = part("failure").text(kind, value, tb, sources, interrupted.__code__.co_filename)
        except Exception:  # the code has broken what this takes
            text = "%s: %s\n" % (kind.__name__, message)
        try:
            print(text, end="", file=sys.stderr, flush=True)
        except Exception:
            pass
        return kind.__name__, message, text

    def evaluate(codes, space):
        """Returns what the last of codes evaluates to. All are one task if one awaits."""
        nonlocal looping
        if not any([code.co_flags & 0x80 for code in codes]):  # CO_COROUTINE
            for code in codes:
                value = eval(code, space)
            return value
        track()
        looping = True
        try:
            return part("task").run(codes, space)
        finally:
            looping = False

    top_level_await = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def parse(source):
        """Returns the tree of the cell."""

        def tree(source):
            return compile(source, "<cell %d>" % cell, "exec", 0x400 | top_level_await, dont_inherit=True)  # ast.PyCF_ONLY_AST

        try:
            return tree(source)
        except SyntaxError as e:
            return part("magic").read(source, e, tree)

    def quoted(name, value, text):
        """Returns an error's parts as JSON, of less than 1 MiB together."""
        limit = 64 << 10  # characters, of which each may take 12 bytes
        if len(quote(value[:limit])) + len(quote(text[-limit:])) > 1000000:
            limit //= 2
        return quote(name[:1000]), quote(value[:limit]), quote(text[-limit:])

    def execute(source, space):
        """Runs source and returns its error, if it has one, and its exit status."""
        nonlocal running
        try:
            return attempt(source, space)
        except BaseException:  # interrupted while it ended
            running = False
            return fail(*sys.exc_info()), 1

    def attempt(source, space):
        nonlocal running, shown
        name = "<cell %d>" % cell
        sources[name] = source
        linecache = sys.modules.get("linecache")
        if linecache is not None:
            fill_lines(linecache, name)
        try:
            running = True
            tree = parse(source)
            last = None
            if tree.body and isinstance(tree.body[-1], _ast.Expr) and not is_silenced(tree.body[-1], source):
                last = _ast.Expression(tree.body.pop().value)
            codes = []
            if tree.body or last is None:
                codes.append(compile(tree, name, "exec", top_level_await, dont_inherit=True))
            if last is not None:
                codes.append(compile(last, name, "eval", top_level_await, dont_inherit=True))
            value = evaluate(codes, space)
            if value is not None:
                if space.get("_", shown) is shown:  # and not the code's own
                    space["_"] = shown = value
                show(value)
            figures()
            running = False
        except SystemExit as e:
            rest()
            if e.code is None or e.code == 0:
                return None, 0
            print("SystemExit: %s" % (e.code,), file=sys.stderr)
            return ("SystemExit", str(e.code), ""), e.code & 0xFF if isinstance(e.code, int) else 1
        except KeyboardInterrupt:
            running = False
            error = fail(*sys.exc_info())
            rest(show=False)
            return error, 1
        except BaseException:
            running = False
            error = fail(*sys.exc_info())
            rest()
            return error, 1
        return None, 0

    def rest(show=True):
        """Closes what code that failed drew before."""
        nonlocal running
        try:
            running = True  # so that it can be interrupted
            figures(show)
        except BaseException:
            pass
        running = False

    def interrupted(number, stack):
        nonlocal due
        # What is told must be told to its end, and what is read must not be lost.
        if running and (holding or telling._is_owned()):
            due = True
        elif running:
            _signal.default_int_handler(number, stack)

    _signal.signal(_signal.SIGINT, interrupted)
    _signal.signal(_signal.SIGURG, lambda *_: None)  # it wakes the interpreter, which then sees to SIGINT

    def used():
        import resource

        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, own.ru_maxrss << 10

    module = Module("__main__")
    space = module.__dict__
    space["__builtins__"] = builtins
    sys.modules["__main__"] = module
    sys.argv = [""]
    builtins.display = display

    fed = True  # whether there is input of a run before to be taken away
    while True:
        with turn:
            words, bodies = receive()
        if words is None:
            os._exit(0)  # the owner has gone
        if words[0] == b"functions":
            functions().expose(space, bodies[0])
        if words[0] == b"order":
            ordered, last_output = True, None
        if words[0] != b"run":
            continue
        source, data = bodies[0][:-1].decode("utf-8", "replace").lstrip("\ufeff"), bodies[1]
        cell += 1
        now = cell
        if number is not None:
            number.set(cell)
        before, _ = used()
        if data is not None or fed or getattr(sys.stdin, "closed", False):  # as exit() leaves it
            set_input(data)
        fed = data is not None
        error, status = execute(source, space)
        due = ordered = False
        now = 0
        flush()
        if os.getpid() != owner:
            os._exit(status)
        after, most = used()
        body = '{"cpu_us":%d,"max_rss":%d,"status":%d' % ((after - before) * 1e6, most, status)
        if error is not None:
            body += ',"error":{"name":%s,"value":%s,"traceback":%s}' % quoted(*error)
        tell(b"done", (body + "}").encode("ascii"))
        if words[1] == b"last":
            sys.exit(status)


_agb()
