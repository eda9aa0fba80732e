"""Sees to lines that are magics of IPython, and no Python. The driver, python.py,
executes this with the first cell that is no Python."""

import re

ignored = re.compile(r"%matplotlib\b")  # figures are shown anyhow
magic = re.compile(r"\s*(?:[\w.]+\s*=\s*)?(?:%%?[A-Za-z]|!(?!=))")

hint = "magics of IPython, with % and !, are not available here: to run a program use subprocess, or a command of the session"


def read(source, error, compile):
    """Returns the tree of a cell that does not compile as it is, because of
    error, without the magics at its top level that have nothing to do here. Where
    that does not help either it raises why. The other lines keep their numbers."""
    lines = source.split("\n")
    left = {i for i, line in enumerate(lines, 1) if ignored.match(line)}
    try:
        while left:
            tree = compile("\n".join("#" + line[1:] if i in left else line for i, line in enumerate(lines, 1)))
            inside = left & lines_inside(tree)  # a text has no comments
            if not inside:
                return tree
            left -= inside
    except SyntaxError as e:
        error = e
    if is_magic(lines, error.lineno):
        error.msg = "%s; %s" % (error.msg, hint)
    raise error from None


def lines_inside(tree):
    """Returns the lines at which a statement goes on that began before."""
    inside = set()
    for node in tree.body:
        first = min([node.lineno] + [d.lineno for d in getattr(node, "decorator_list", ())])
        inside.update(range(first + 1, node.end_lineno + 1))
    return inside


def is_magic(lines, number):
    """Reports whether the line of that number, from 1, if it is one, is a magic
    or belongs to one that takes the whole cell."""
    first = next((line for line in lines if line.strip()), "")
    return first.startswith("%%") or bool(number and number <= len(lines) and magic.match(lines[number - 1]))
