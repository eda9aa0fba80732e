"""Runs the code on descriptor 3 and reports its results on descriptor 4."""


def _agb():
    import ast
    import builtins
    import json
    import linecache
    import os
    import sys
    import traceback
    import types

    name = "<cell>"
    text_limit = 4 << 20
    items = []

    with open(3, "rb") as f:
        source = f.read().decode("utf-8", "replace")
    report_fd = os.dup(4)  # not inherited by programs that the code starts
    os.close(4)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace", line_buffering=True)

    def b64(data):
        import base64

        return base64.b64encode(data).decode("ascii")

    def clip(text):
        if len(text) <= text_limit:
            return text
        return text[:text_limit] + "[… %d characters left out]" % (len(text) - text_limit)

    methods = {
        "text/html": "_repr_html_",
        "text/markdown": "_repr_markdown_",
        "text/latex": "_repr_latex_",
        "image/svg+xml": "_repr_svg_",
        "image/png": "_repr_png_",
        "image/jpeg": "_repr_jpeg_",
        "application/json": "_repr_json_",
    }

    def plain(mime, value):
        """Returns a representation as something that JSON can carry, or None."""
        if isinstance(value, (bytes, bytearray)):
            return b64(bytes(value))
        if isinstance(value, str):
            return clip(value)
        if mime.startswith("application/") and mime.endswith("json"):
            try:
                json.dumps(value, allow_nan=False)
                return value
            except (TypeError, ValueError, RecursionError):
                return None
        return None

    def figure_png(figure):
        import io

        out = io.BytesIO()
        figure.savefig(out, format="png", bbox_inches="tight")
        return out.getvalue()

    def represent(obj):
        found = {}
        if not isinstance(obj, type):
            bundle = getattr(type(obj), "_repr_mimebundle_", None)
            if bundle is not None:
                value = obj._repr_mimebundle_()
                if isinstance(value, tuple):
                    value = value[0]
                if isinstance(value, dict):
                    found.update(value)
            for mime, method in methods.items():
                if mime not in found and getattr(type(obj), method, None) is not None:
                    value = getattr(obj, method)()
                    if isinstance(value, tuple):
                        value = value[0]
                    if value is not None:
                        found[mime] = value
            if type(obj).__module__ == "matplotlib.figure" and "image/png" not in found:
                found["image/png"] = figure_png(obj)
        if "text/plain" not in found:
            found["text/plain"] = repr(obj)
        data = {}
        for mime, value in found.items():
            value = plain(str(mime), value)
            if value is not None:
                data[str(mime)] = value
        return data

    def show(obj, main=False):
        items.append({"main": main, "data": represent(obj)})

    def display(*objs, raw=False, **_):
        for obj in objs:
            if raw and isinstance(obj, dict):
                data = {str(k): plain(str(k), v) for k, v in obj.items()}
                items.append({"main": False, "data": {k: v for k, v in data.items() if v is not None}})
            else:
                show(obj)

    def display_module():
        """Stands in for IPython.display where there is no IPython."""

        def kind(title, method):
            def init(self, data=None):
                self.data = data

            return type(
                title,
                (),
                {
                    "__init__": init,
                    "__repr__": lambda self: "<IPython.display.%s object>" % title,
                    method: lambda self: self.data,
                },
            )

        module = types.ModuleType("IPython.display")
        module.display = display
        module.clear_output = lambda *_args, **_kwargs: None
        for title, method in (
            ("HTML", "_repr_html_"),
            ("Markdown", "_repr_markdown_"),
            ("Latex", "_repr_latex_"),
            ("Math", "_repr_latex_"),
            ("SVG", "_repr_svg_"),
            ("JSON", "_repr_json_"),
            ("Image", "_repr_png_"),
        ):
            setattr(module, title, kind(title, method))
        return module

    class Finder:
        """Comes last, so that a real IPython is found before."""

        @staticmethod
        def find_spec(fullname, _path=None, _target=None):
            if fullname not in ("IPython", "IPython.display"):
                return None
            import importlib.machinery

            return importlib.machinery.ModuleSpec(fullname, Finder, is_package=fullname == "IPython")

        @staticmethod
        def create_module(spec):
            if spec.name == "IPython.display":
                return display_module()
            module = types.ModuleType("IPython")
            module.get_ipython = lambda: None
            module.version_info = (0, 0, 0)
            module.display = display
            return module

        @staticmethod
        def exec_module(_module):
            pass

    def fail(kind, value, tb):
        """Prints an exception as the interpreter would and returns it for the report."""
        while tb is not None and tb.tb_frame.f_code.co_filename != name:
            tb = tb.tb_next
        text = "".join(traceback.format_exception(kind, value, tb))
        try:
            message = str(value)
        except Exception:
            message = "<unprintable>"
        print(text, end="", file=sys.stderr, flush=True)
        return {"name": kind.__name__, "value": message, "traceback": text}

    loop = None

    def run(code, space):
        nonlocal loop
        if not code.co_flags & 0x80:  # CO_COROUTINE
            return eval(code, space)
        import asyncio

        if loop is None:
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
        return loop.run_until_complete(eval(code, space))

    def figures():
        """Shows the figures that the code drew and left open."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            items.append({"main": False, "data": {"image/png": b64(figure_png(figure)), "text/plain": repr(figure)}})
        pyplot.close("all")

    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    sys.argv = [""]
    sys.meta_path.append(Finder)
    builtins.display = display
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)

    error, status = None, 0
    try:
        tree = ast.parse(source, name)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        run(compile(tree, name, "exec", flags=flags, dont_inherit=True), module.__dict__)
        if last is not None:
            value = run(compile(last, name, "eval", flags=flags, dont_inherit=True), module.__dict__)
            if value is not None:
                show(value, main=True)
        figures()
    except SystemExit as e:
        if e.code is None or e.code == 0:
            pass
        else:
            status = e.code if isinstance(e.code, int) else 1
            error = {"name": "SystemExit", "value": str(e.code), "traceback": ""}
            print("SystemExit: %s" % (e.code,), file=sys.stderr)
    except BaseException:
        status = 1
        error = fail(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    data = json.dumps({"items": items, "error": error}).encode("ascii")
    while data:
        data = data[os.write(report_fd, data) :]
    os.close(report_fd)
    sys.exit(status & 0xFF)


_agb()
