"""Stands in for IPython where there is none, and changes modules that are
imported. The driver, python.py, executes this with the first such import, with
python_rich.py in "rich"."""

import types


class DisplayObject:
    """A thing to show, given as it is, or where it can be read."""

    mime, binary = "text/plain", False

    def __init__(self, data=None, url=None, filename=None, metadata=None, **options):
        import os

        if isinstance(data, os.PathLike):
            data = os.fspath(data)
        if isinstance(data, str) and url is None and filename is None:
            if data.startswith("http"):
                data, url = None, data
            elif len(data) < 4096 and "\0" not in data and os.path.isfile(data):
                data, filename = None, data
        self.data, self.url, self.filename = data, url, filename and os.fspath(filename)
        self.metadata, self.options = metadata or {}, options
        if data is None:
            self.reload()

    def reload(self):
        if self.filename is not None:
            with open(self.filename, "rb" if self.binary else "r") as f:
                self.data = f.read()
        elif self.url is not None:
            from urllib.request import urlopen

            with urlopen(self.url) as response:
                self.data = response.read()
            if not self.binary:
                self.data = self.data.decode("utf-8", "replace")

    def __repr__(self):
        return "<IPython.core.display.%s object>" % type(self).__name__

    def forms(self):
        return {self.mime: self.data}

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.forms(), self.metadata


class Pretty(DisplayObject):
    pass


class HTML(DisplayObject):
    mime = "text/html"


class Markdown(DisplayObject):
    mime = "text/markdown"


class Latex(DisplayObject):
    mime = "text/latex"


class Math(Latex):
    def forms(self):
        return {self.mime: "$\\displaystyle %s$" % self.data.strip("$")}


class SVG(DisplayObject):
    mime = "image/svg+xml"


class Javascript(DisplayObject):
    mime = "application/javascript"


class JSON(DisplayObject):
    mime = "application/json"

    def forms(self):
        import json

        return {self.mime: json.loads(self.data) if isinstance(self.data, (str, bytes)) else self.data}


class IFrame(DisplayObject):
    def __init__(self, src, width="100%", height=400, **_):
        super().__init__(data="")
        self.src, self.width, self.height = src, width, height

    def forms(self):
        place = self.src, self.width, self.height
        return {"text/html": '<iframe src="%s" width="%s" height="%s" frameborder="0" allowfullscreen></iframe>' % place}


class Image(DisplayObject):
    binary = True
    magic = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))

    def reload(self):
        if self.url is None or self.options.get("embed"):
            super().reload()

    def forms(self):
        if self.data is None:
            return {"text/html": '<img src="%s"/>' % self.url}
        kind = str(self.options.get("format") or "png").lower().replace("jpg", "jpeg")
        if isinstance(self.data, bytes):
            kind = next((name for start, name in self.magic if self.data.startswith(start)), kind)
        return {"image/" + kind: self.data}


stand_ins = (DisplayObject, Pretty, HTML, Markdown, Latex, Math, SVG, Javascript, JSON, IFrame, Image)


def give_functions(module):
    """Gives a module the functions of IPython.display."""
    module.display = module.update_display = rich.display
    module.publish_display_data = lambda data, *_args, **_kwargs: rich.emit(data)
    module.clear_output = lambda *_args, **_kwargs: None


mimes = {
    "pretty": "text/plain",
    "html": "text/html",
    "markdown": "text/markdown",
    "latex": "text/latex",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "pdf": "application/pdf",
    "json": "application/json",
    "javascript": "application/javascript",
}


def display_as(mime):
    """Returns a function that shows objects in one form."""

    def display(*objs, raw=False, metadata=None, **_):
        for obj in objs:
            rich.display({mime: obj} if raw else obj, raw=raw, include=[mime])

    return display


def stand_in(name):
    """Returns one of the modules of IPython."""
    module = types.ModuleType(name)
    if name == "IPython":
        module.display = rich.display
        module.get_ipython, module.version_info, module.__version__ = lambda: None, (0, 0, 0), "0.0.0"
    elif name.endswith(".display"):
        for kind in stand_ins:
            kind.__module__ = "IPython.core.display"
            setattr(module, kind.__name__, kind)
        for name, mime in mimes.items():
            setattr(module, "display_" + name, display_as(mime))
        give_functions(module)
        module.DisplayHandle = rich.Handle
        module.set_matplotlib_formats = lambda *_args, **_kwargs: None
    return module


def find_stand_in(name):
    from importlib.machinery import ModuleSpec

    return ModuleSpec(name, StandIn, is_package=name in ("IPython", "IPython.core"))


class StandIn:
    """Loads the modules of IPython."""

    @staticmethod
    def create_module(spec):
        return stand_in(spec.name)

    @staticmethod
    def exec_module(_module):
        pass


# What is changed in modules when they are imported.


def change_pandas(module):
    module.cf.set_option("display.max_columns", 20)  # as in a notebook, where no terminal bounds it


def change_plotly(module):
    module.BaseFigure.show = lambda self, *_args, **_kwargs: rich.show(self)


changes = {
    "IPython.core.display_functions": give_functions,  # those of IPython print where there is no shell of it
    "plotly.basedatatypes": change_plotly,
    "matplotlib.pyplot": lambda module: charts().change_pyplot(module),
    "matplotlib.axes._axes": lambda module: charts().change_axes(module),
    "pandas.core.config_init": change_pandas,
}
