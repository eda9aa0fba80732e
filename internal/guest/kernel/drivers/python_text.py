"""Prints objects as IPython does. The driver, python.py, executes this with the
first that is no plain text."""

import collections
import types


leaves = frozenset((int, float, complex, bool, str, bytes, type(None)))


class Full(Exception):
    """There is as much text as is wanted."""


class Group:
    def __init__(self, depth):
        self.depth, self.broken = depth, False


class Printer:
    """Lays text out as the printer of IPython does, whose methods it has: groups
    that do not fit into a line are broken, the outer before the inner."""

    width, max_seq_length, verbose = 79, 1000, False

    def __init__(self, limit):
        self.limit = limit  # of characters, in about
        self.output, self.column = [], 0
        self.waiting, self.waiting_width = collections.deque(), 0  # texts, and where a line may end
        self.indentation = 0
        self.groups = [Group(0)]
        self.stack = []

    def text(self, text):
        if not self.waiting:
            self.output.append(text)
            self.column += len(text)
            return
        self.waiting.append(text)
        self.waiting_width += len(text)
        self.fit()

    def breakable(self, sep=" "):
        if self.groups[-1].broken:
            self.flush()
            self.newline(self.indentation)
            return
        self.waiting.append((self.groups[-1], sep, self.indentation))
        self.waiting_width += len(sep)
        self.fit()

    def break_(self):
        self.break_outer()
        self.flush()
        self.newline(self.indentation)

    def newline(self, indentation):
        self.limit -= self.column
        if self.limit < 0:
            raise Full
        self.output.append("\n" + " " * indentation)
        self.column = indentation

    def write(self, item):
        text = item if isinstance(item, str) else item[1]
        self.waiting_width -= len(text)
        if text is not item and item[0].broken:
            self.newline(item[2])
            return
        self.output.append(text)
        self.column += len(text)

    def fit(self):
        while self.column + self.waiting_width > self.width and self.break_outer():
            pass

    def break_outer(self):
        """Breaks the outermost group in which a line may end, and reports
        whether there is one. Those around it are broken from now on."""
        groups = [item[0] for item in self.waiting if not isinstance(item, str)]
        group = min(reversed(groups), key=lambda g: g.depth, default=None)
        for outer in self.groups[: group and group.depth]:
            outer.broken = True
        if group is None:
            return False
        group.broken = True
        while group in groups or self.waiting and isinstance(self.waiting[0], str):
            item = self.waiting.popleft()
            if not isinstance(item, str):
                groups.remove(item[0])
            self.write(item)
        return True

    def flush(self):
        while self.waiting:
            self.write(self.waiting.popleft())

    def begin_group(self, indent=0, open=""):
        self.text(open)
        self.groups.append(Group(self.groups[-1].depth + 1))
        self.indentation += indent

    def end_group(self, dedent=0, close=""):
        self.indentation -= dedent
        self.groups.pop()
        self.text(close)

    def group(self, indent=0, open="", close=""):
        import contextlib

        @contextlib.contextmanager
        def inside():
            self.begin_group(indent, open)
            try:
                yield
            finally:
                self.end_group(indent, close)

        return inside()

    def pretty(self, obj):
        if type(obj) in leaves:
            self.text(repr(obj))
            return
        cycle = id(obj) in self.stack
        self.stack.append(id(obj))
        self.begin_group()
        try:
            self.print(obj, cycle)
        finally:
            self.end_group()
            self.stack.pop()

    def print(self, obj, cycle):
        for kind in type(obj).__mro__:
            printer = printers.get(kind) or kind.__dict__.get("_repr_pretty_")
            if callable(printer):
                printer(obj, self, cycle)
                return
            if kind is not object and callable(kind.__dict__.get("__repr__")):
                break
        if type(obj).__repr__ is object.__repr__:
            self.text("<%s at 0x%x>" % (name_of(type(obj)), id(obj)))
        else:
            self.lines(repr(obj))

    def lines(self, text):
        self.begin_group()
        for i, line in enumerate(text.splitlines()):
            if i:
                self.break_()
            self.text(line)
        self.end_group()

    def items(self, items, print):
        """Prints items, not more than max_seq_length of them."""
        for i, item in enumerate(items):
            if i:
                self.text(",")
                self.breakable()
            if i == self.max_seq_length:
                self.text("...")
                return
            print(item)

    def call(self, name, *args, **kwargs):
        self.begin_group(len(name) + 1, name + "(")
        self.items([("", a) for a in args] + [(k + "=", v) for k, v in kwargs.items()], self.argument)
        self.end_group(len(name) + 1, ")")

    def argument(self, item):
        name, value = item
        self.begin_group(len(name), name)
        self.pretty(value)
        self.end_group(len(name))


def name_of(kind):
    module = kind.__module__
    return kind.__qualname__ if module in (None, "builtins") else "%s.%s" % (module, kind.__qualname__)


def print_sequence(open, close):
    def printer(obj, p, cycle):
        if cycle:
            p.text(open + "..." + close)
            return
        p.begin_group(1, open)
        p.items(obj, p.pretty)
        p.end_group(1, ",)" if isinstance(obj, tuple) and len(obj) == 1 else close)

    return printer


def in_order(items):
    for key in (None, str):
        try:
            return sorted(items, key=key)
        except Exception:
            pass
    return items


def print_set(open, close):
    def printer(obj, p, cycle):
        if cycle or not obj:
            p.text(open + "..." + close if cycle else type(obj).__name__ + "()")
            return
        p.begin_group(len(open), open)
        p.items(in_order(obj) if len(obj) < p.max_seq_length else obj, p.pretty)
        p.end_group(len(open), close)

    return printer


def print_dict(obj, p, cycle):
    if cycle:
        p.text("{...}")
        return

    def item(key):
        p.pretty(key)
        p.text(": ")
        p.pretty(obj[key])

    p.begin_group(1, "{")
    p.items(obj.keys(), item)
    p.end_group(1, "}")


def print_call(arguments):
    def printer(obj, p, cycle):
        name = type(obj).__name__
        if cycle:
            p.text(name + "(...)")
        else:
            p.call(name, *arguments(obj))

    return printer


def print_deque(obj, p, cycle):
    if cycle:
        p.text("deque(...)")
    else:
        p.call(type(obj).__name__, list(obj), **({} if obj.maxlen is None else {"maxlen": obj.maxlen}))


def print_type(obj, p, _cycle):
    if type(obj).__repr__ is type.__repr__ and isinstance(obj.__qualname__, str):
        p.text(name_of(obj))
    else:
        p.lines(repr(obj))


def print_function(obj, p, _cycle):
    import inspect

    try:
        signature = str(inspect.signature(obj))
    except ValueError:
        signature = ""
    p.text("<function %s%s>" % (name_of(obj), signature))


def print_exception(obj, p, _cycle):
    p.call(name_of(type(obj)), *getattr(obj, "args", ()))


printers = {
    list: print_sequence("[", "]"),
    tuple: print_sequence("(", ")"),
    set: print_set("{", "}"),
    frozenset: print_set("frozenset({", "})"),
    dict: print_dict,
    collections.OrderedDict: print_call(lambda obj: [list(obj.items())] if obj else []),
    collections.defaultdict: print_call(lambda obj: [obj.default_factory, dict(obj)]),
    collections.Counter: print_call(lambda obj: [dict(obj)] if obj else []),
    collections.deque: print_deque,
    types.MappingProxyType: print_call(lambda obj: [dict(obj)]),
    type: print_type,
    types.FunctionType: print_function,
    types.BuiltinFunctionType: print_function,
    BaseException: print_exception,
}


def pretty(obj, limit):
    """Returns obj as text, as IPython prints it, and whether that is all of it:
    it ends after about so many characters."""
    p, whole = Printer(limit), True
    try:
        p.pretty(obj)
        p.flush()
    except Full:
        whole = False
    return "".join(p.output), whole
