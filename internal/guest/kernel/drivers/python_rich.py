"""Shows what is no plain text, as IPython does. The driver, python.py,
executes this with the first such thing, among what it gives in "agb"."""

import types

text_limit = 1 << 20  # characters of a representation
data_limit = 10 << 20  # bytes of one that is encoded in base64
item_limit = 15 << 20  # bytes of all of a result, encoded
form_limit = 16  # representations of a result
depth_limit = 64  # of one that is JSON
row_limit = 1000  # of a table as JSON

chart_mime = "application/vnd.agb-go.chart+json"

methods = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "text/latex": "_repr_latex_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "application/json": "_repr_json_",
    "application/javascript": "_repr_javascript_",
    "application/pdf": "_repr_pdf_",
}


def attempt(function, *args, **kwargs):
    """Calls what belongs to the code. What it raises is printed, and no more."""
    try:
        return function(*args, **kwargs)
    except NotImplementedError:
        return None
    except Exception:
        agb.report()
        return None


# Encoding.


class Raw(str):
    """Text that is JSON already."""


class Cut(str):
    """Text of which the rest is left out."""


def clip(text):
    if len(text) <= text_limit:
        return text
    return Cut(text[:text_limit] + "[… %d characters left out]" % (len(text) - text_limit))


def is_mime(name):
    import re

    return re.fullmatch("[a-z0-9][a-z0-9.+-]{0,40}/[a-z0-9][a-z0-9.+-]{0,60}", name) is not None


def is_json(mime):
    return mime == "application/json" or mime.startswith("application/") and mime.endswith("+json")


def is_text(mime):
    return mime.startswith("text/") or mime in ("image/svg+xml", "application/javascript")


def depth(value, limit=depth_limit):
    if not isinstance(value, (dict, list, tuple)):
        return 0
    if limit == 0:
        raise ValueError("nested too deep")
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((depth(v, limit - 1) for v in inner), default=0)


def finite(value):
    """Returns value with null for the numbers that JSON has not."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    return [finite(v) for v in value] if isinstance(value, (list, tuple)) else value


def foreign(value):
    """Returns what stands in JSON for a value of numpy's, or any other."""
    return value.tolist() if hasattr(type(value), "tolist") else str(value)


def encode_json(value):
    import json

    depth(value)
    try:
        return json.dumps(value, allow_nan=False, default=foreign)
    except ValueError:
        return json.dumps(finite(value), allow_nan=False, default=foreign)


def encode_text(mime, value):
    """Returns text, base64 or what else is a string, as JSON, None when it is
    too long, and whether it is cut."""
    if is_text(mime):
        text = value if isinstance(value, Cut) else clip(value)
        return agb.quote(text), isinstance(text, Cut)
    if is_json(mime):
        limit = text_limit
    else:
        limit, value = data_limit // 3 * 4 + 4, "".join(value.split())
    return agb.quote(value) if len(value) <= limit else None, False


def encode(mime, value):
    """Returns a representation as JSON, None when it cannot be sent, and whether
    it is cut."""
    if isinstance(value, Raw):
        return value if len(value) <= text_limit else None, False
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = bytes(value)
        if is_text(mime):
            value = value.decode("utf-8", "replace")
        elif len(value) > data_limit:
            return None, False
        else:
            import binascii

            value = binascii.b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, str):
        return encode_text(mime, value)
    if is_json(mime):
        text = encode_json(value)
        return text if len(text) <= text_limit else None, False
    if isinstance(value, (list, tuple)) and all(isinstance(line, str) for line in value):
        return encode_text(mime, "".join(value))
    return None, False


def emit(found, main=False, cut=False):
    """Sends a result, marked when something of it is missing. What is left of an
    earlier cell has none."""
    if agb.is_stale():
        agb.late(b"[a result that was shown after its run is left out]\n")
        return
    forms, room = [], item_limit
    for mime, value in found.items():
        if value is None:
            continue
        text, clipped = None, False
        try:
            mime = str(mime).lower()
            if is_mime(mime):
                text, clipped = encode(mime, value)
        except Exception:
            pass
        missing = text is None or len(text) > room or len(forms) == form_limit
        cut = cut or missing or clipped
        if not missing:
            room -= len(text)
            forms.append("%s:%s" % (agb.quote(mime), text))
    marks = '"main":%s%s' % ("true" if main else "false", ',"truncated":true' if cut else "")
    agb.flush()
    agb.tell(b"item", ('{%s,"data":{%s}}' % (marks, ",".join(forms))).encode("ascii"))


# Representations.


def method_of(obj, name):
    """Returns a method of obj for its representation, as IPython finds it: not
    of what has every attribute."""
    try:
        if getattr(obj, "_ipython_canary_method_should_not_exist_", None) is not None:
            return None
        method = getattr(obj, name, None)
    except Exception:
        return None
    if isinstance(obj, type) and not isinstance(method, types.MethodType):
        return None
    return method if callable(method) else None


def data_of(value):
    """Returns a representation without its metadata."""
    return value[0] if isinstance(value, tuple) and len(value) == 2 else value


def bundle_of(obj, include, exclude):
    method = method_of(obj, "_repr_mimebundle_")
    if method is None:
        return {}

    def bundle():
        try:
            return method(include=include, exclude=exclude)
        except TypeError as e:
            if "argument" not in str(e):
                raise
            return method()

    found = data_of(attempt(bundle))
    return found if isinstance(found, dict) else {}


def selected(found, include, exclude):
    return {
        mime: value
        for mime, value in found.items()
        if (not include or mime in include) and (not exclude or mime not in exclude)
    }


def plain(obj):
    text, whole = agb.printer().pretty(obj, text_limit)
    return text if whole else Cut(text[:text_limit] + "[… more is left out]")


def represent(obj, include=None, exclude=None):
    """Returns the representations of obj, and whether one of them is cut."""
    found, cut = known(obj)
    for mime, value in bundle_of(obj, include, exclude).items():
        found.setdefault(mime, value)
    for mime, name in methods.items():
        method = None if mime in found else method_of(obj, name)
        if method is not None:
            found[mime] = data_of(attempt(method))
    if "text/plain" not in found:
        found["text/plain"] = attempt(plain, obj) or "<unprintable %s object>" % type(obj).__name__
    return selected(found, include, exclude), cut


def show(obj, main=False, include=None, exclude=None):
    if not in_family(obj, families):
        method = method_of(obj, "_ipython_display_")
        if method is not None:
            try:
                method()
                return
            except NotImplementedError:
                pass
            except Exception:
                agb.report()
    if in_family(obj, {("matplotlib.figure", "Figure")}):
        agb.charts().shown.add(obj)
    found, cut = represent(obj, include, exclude)
    emit(found, main, cut)


class Handle:
    """What display returns when it is asked for: it shows again."""

    def __init__(self, display_id):
        self.display_id = display_id

    def __repr__(self):
        return "<DisplayHandle display_id=%s>" % self.display_id

    def display(self, obj, **options):
        display(obj, **options)

    update = display


def display(*objs, include=None, exclude=None, raw=False, display_id=None, **_):
    for obj in objs:
        if raw and isinstance(obj, dict):
            emit(selected(obj, include, exclude))
        else:
            show(obj, False, include, exclude)
    if display_id is None:
        return None
    return Handle(str(id(objs)) if display_id is True else display_id)


# Representations of what does not have its own, or not all.


def in_family(obj, names):
    """Returns which of names, of modules and classes, is that of obj's class or
    of one that it is derived from."""
    try:
        for kind in type(obj).__mro__:
            if (kind.__module__, kind.__name__) in names:
                return kind.__module__, kind.__name__
    except Exception:
        pass
    return None


def known(obj):
    family = in_family(obj, families)
    if family is None:
        return {}, False
    try:
        return families[family](obj)
    except Exception:
        return {}, False


def pandas_frame(obj):
    text = obj.head(row_limit).to_json(
        orient="records" if obj.ndim == 2 else "split", date_format="iso", double_precision=15, default_handler=str
    )
    return {"application/json": Raw(text)}, len(obj) > row_limit


def polars_frame(obj):
    return {"application/json": obj.head(row_limit).to_dicts()}, obj.height > row_limit


def pil_image(obj):
    import io

    def save(image, kind, **options):
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    found = {"image/png": None, "image/jpeg": None}
    plain = obj if obj.mode in ("1", "L", "LA", "I", "P", "RGB", "RGBA") else obj.convert("RGB")
    found["image/png"] = save(plain, "PNG")
    if obj.format == "JPEG":
        found["image/jpeg"] = save(plain.convert("RGB") if plain.mode not in ("L", "RGB") else plain, "JPEG", quality=90)
    return found, False


def plotly_figure(obj):
    spec = Raw(obj.to_json())
    html = obj.to_html(full_html=False, include_plotlyjs="cdn")
    return {"application/vnd.plotly.v1+json": spec, "application/json": spec, "text/html": html}, False


def matplotlib_figure(obj):
    return attempt(agb.charts().represent, obj) or {"text/plain": repr(obj)}, False


families = {
    ("pandas.core.frame", "DataFrame"): pandas_frame,
    ("pandas.core.series", "Series"): pandas_frame,
    ("polars.dataframe.frame", "DataFrame"): polars_frame,
    ("PIL.Image", "Image"): pil_image,
    ("plotly.basedatatypes", "BaseFigure"): plotly_figure,
    ("matplotlib.figure", "Figure"): matplotlib_figure,
}
