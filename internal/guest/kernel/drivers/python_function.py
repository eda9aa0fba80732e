"""Calls functions of the owner. The driver, python.py, executes this with the
first cell that has some, among what it gives in "agb"."""

import itertools
import json
import threading
from time import sleep

limit = 1 << 20  # bytes of arguments
slots = threading.Semaphore(16)  # of calls under way
numbers = itertools.count(1)
answers = {}  # by the numbers of their calls


def call(name, args):
    body = json.dumps(args, allow_nan=False)
    with slots:
        number = next(numbers)
        body = '{"id":%d,"name":%s,"args":%s}' % (number, agb.quote(name), body)
        if len(body) > limit:
            raise ValueError("the arguments of %s() have %d bytes, at most 1 MiB is allowed" % (name, len(body)))
        refused = "%s() can be called only while its cell runs, and by its process" % name
        told = False
        while number not in answers:
            with agb.turn:  # who has it reads for all
                if not agb.may_call():
                    raise RuntimeError(refused)
                if not told:
                    agb.tell(b"call", body.encode("ascii"))
                    told = True
                texts = [] if number in answers else agb.returns()
                if texts is None:
                    raise RuntimeError(refused)
                for text in texts:
                    answer = json.loads(text)
                    answers[answer["id"]] = answer
            if number not in answers:
                sleep(0.0005)  # so that others have their turn
        answer = answers.pop(number)
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

    answers.clear()
    for name in json.loads(names):
        space[name] = function(name)
