"""Calls functions of the owner. The driver, python.py, executes this with the
first cell that has some, among what it gives in "agb"."""

import json

limit = 1 << 20  # bytes of arguments
calls = 0


def call(name, args):
    global calls
    refused = "%s() can be called only while its cell runs, and by its process" % name
    if not agb.may_call():
        raise RuntimeError(refused)
    body = json.dumps(args, allow_nan=False)
    with agb.turn:
        if not agb.may_call():
            raise RuntimeError(refused)
        calls += 1
        body = '{"id":%d,"name":%s,"args":%s}' % (calls, agb.quote(name), body)
        if len(body) > limit:
            raise ValueError("the arguments of %s() have %d bytes, at most 1 MiB is allowed" % (name, len(body)))
        agb.tell(b"call", body.encode("ascii"))
        answer = None
        while answer is None or answer["id"] != calls:
            bodies = agb.wanted(lambda words: words[0] == b"return")
            if bodies is None:
                raise RuntimeError(refused)
            answer = json.loads(bodies[0])
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer.get("value")


def expose(space, names):
    """Puts functions, whose names are JSON, where code finds them."""

    def function(name):
        def f(*args, **kwargs):
            if args and kwargs or len(args) > 1:
                raise TypeError("%s() takes one argument, or keyword arguments" % name)
            return call(name, args[0] if args else kwargs)

        f.__name__ = f.__qualname__ = name
        return f

    for name in json.loads(names):
        space[name] = function(name)
