"""Shows the figures of matplotlib, and says what is in them. The driver,
python.py, executes this when the code uses matplotlib, with python_rich.py in
"rich"."""

import functools
import io
import math
import sys
import weakref

series_limit = 64  # of a figure
point_limit = 10000  # of a figure
axes_limit = 64  # of a figure
tick_limit = 1000  # of an axis
label_limit = 1000  # characters
kinds = ("pie", "box", "bar", "scatter", "line")  # the first of its series' is an axes'

shown = weakref.WeakSet()  # figures that the run has shown


def represent(figure):
    """Returns a figure's representations."""
    text = repr(figure)
    if not figure.axes and not figure.lines:
        return {"text/plain": text}
    out = io.BytesIO()
    colors = {"facecolor": figure.get_facecolor(), "edgecolor": figure.get_edgecolor()}
    figure.canvas.print_figure(out, format="png", dpi=figure.dpi, bbox_inches="tight", **colors)
    found = {"image/png": out.getvalue(), "text/plain": text}
    try:
        chart = Chart().figure(figure)
    except Exception:
        chart = None
    if chart is not None:
        found[rich.chart_mime] = chart
    return found


def flush():
    """Shows the figures that are open and were not shown, and closes all."""
    pyplot = sys.modules["matplotlib.pyplot"]
    try:
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            if figure not in shown:
                rich.show(figure)
    finally:
        pyplot.close("all")


def end(show):
    """Closes all figures at the end of a run, shown or not."""
    try:
        if show:
            flush()
        else:
            sys.modules["matplotlib.pyplot"].close("all")
    finally:
        shown.clear()


# What is changed in modules when they are imported.


def change_pyplot(module):
    def show(*_args, **_kwargs):
        flush()

    def show_figure(self, *_args, **_kwargs):
        rich.show(self)

    module.show = functools.update_wrapper(show, module.show)
    module.Figure.show = functools.update_wrapper(show_figure, module.Figure.show)


def change_axes(module):
    original = module.Axes.bxp

    @functools.wraps(original)
    def bxp(self, bxpstats, *args, **kwargs):
        bxpstats = list(bxpstats)
        artists = original(self, bxpstats, *args, **kwargs)
        try:
            note_boxes(bxpstats, artists)
        except Exception:
            pass
        return artists

    module.Axes.bxp = bxp


def note_boxes(stats, artists):
    """Notes on the lines of a box plot that they are, and of which numbers."""
    for group in artists.values():
        for artist in group:
            artist._agb_box = None
    for stat, median in zip(stats, artists["medians"]):
        names = {"min": "whislo", "q1": "q1", "median": "med", "q3": "q3", "max": "whishi"}
        box = {name: float(stat[key]) for name, key in names.items()}
        median._agb_box = dict(box, label=str(stat.get("label", "")), outliers=[float(v) for v in stat.get("fliers", ())])


# What is in a figure.


def number(value):
    """Returns a number as JSON has it."""
    value = float(value)
    return value if math.isfinite(value) else None


def label_of(artist):
    text = str(artist.get_label() or "")
    return "" if text.startswith("_") else text[:label_limit]


class Axis:
    """An axis, and what its numbers stand for."""

    def __init__(self, axis):
        self.scale = axis.get_scale()
        self.names, self.ticks, self.read = {}, {}, float
        converter = axis.get_converter() if hasattr(axis, "get_converter") else axis.converter
        mapping = getattr(getattr(axis, "units", None), "_mapping", None)
        if mapping:
            self.scale = "category"
            self.names = {float(at): str(name)[:label_limit] for name, at in mapping.items()}
        elif getattr(axis, "freq", None) is not None:  # pandas has set it
            self.scale, self.read = "time", functools.partial(period, axis.freq)
        elif "Date" in type(converter).__name__ or "Date" in type(axis.get_major_formatter()).__name__:
            self.scale, self.read = "time", date
        else:
            self.ticks = fixed_ticks(axis)

    def value(self, at):
        """Returns what stands at a place."""
        at = number(at)
        if at is None:
            return None
        return self.names[at] if at in self.names else self.read(at)

    def category(self, at):
        """Returns what stands at the place of a bar or a box."""
        names = self.names or self.ticks
        if number(at) is None or not names:
            return self.value(at)
        self.scale, at = "category", float(at)
        nearest = min(names, key=lambda place: abs(place - at))
        return names[nearest] if abs(nearest - at) <= 0.5 else at

    def labels(self):
        names = self.names or self.ticks
        return [names[at] for at in sorted(names)][:tick_limit]


def fixed_ticks(axis):
    """Returns the texts that the code has put to an axis, by place."""
    from matplotlib import ticker

    locator, formatter = axis.get_major_locator(), axis.get_major_formatter()
    if not isinstance(locator, ticker.FixedLocator) or not isinstance(formatter, (ticker.FixedFormatter, ticker.FuncFormatter)):
        return {}
    places = [float(at) for at in locator()]
    return {at: str(text)[:label_limit] for at, text in zip(places, formatter.format_ticks(places)) if str(text)}


def date(at):
    from matplotlib import dates

    return dates.num2date(at).isoformat().replace("+00:00", "Z")


def period(freq, at):
    import pandas

    return pandas.Period(ordinal=int(at), freq=freq).start_time.isoformat() + "Z"


class Chart:
    """Collects what is in a figure."""

    def __init__(self):
        self.series_left, self.points_left = series_limit, point_limit
        self.truncated = False

    def take(self, n):
        """Returns how many of n points are still wanted."""
        taken = min(n, self.points_left)
        self.points_left -= taken
        self.truncated = self.truncated or taken < n
        return taken

    def figure(self, figure):
        axes = [a for a in figure.axes if a.get_visible() and a.get_label() != "<colorbar>"]
        if not axes:
            return None
        self.truncated = len(axes) > axes_limit
        charts = [self.axes(a) for a in axes[:axes_limit]]
        chart = charts[0] if len(charts) == 1 else {"kind": "grid", "charts": charts}
        if len(charts) > 1 and figure._suptitle is not None:
            chart["title"] = figure._suptitle.get_text()[:label_limit]
        if self.truncated:
            chart["truncated"] = True
        return chart

    def axes(self, axes):
        x, y = Axis(axes.xaxis), Axis(axes.yaxis)
        series = []
        if axes.name in ("rectilinear", "polar"):
            for one in self.all_series(axes, x, y):
                if not self.series_left:
                    self.truncated = True
                    break
                self.series_left -= 1
                series.append(one())
        found = [one["kind"] for one in series]
        chart = {
            "kind": next((kind for kind in kinds if kind in found), "unknown"),
            "title": axes.get_title()[:label_limit],
            "xLabel": axes.get_xlabel()[:label_limit],
            "yLabel": axes.get_ylabel()[:label_limit],
            "xScale": x.scale,
            "yScale": y.scale,
            "series": series,
        }
        for name, axis in (("xTicks", x), ("yTicks", y)):
            if axis.labels() and "pie" not in found:
                chart[name] = axis.labels()
        return chart

    def all_series(self, axes, x, y):
        """Returns what makes each series of axes."""
        from matplotlib import collections, container, patches

        every = []
        wedges = [p for p in axes.patches if isinstance(p, patches.Wedge)]
        if wedges:
            every.append(functools.partial(self.pie, axes, wedges))
        auxiliary = set()
        for one in axes.containers:
            if isinstance(one, container.BarContainer):
                every.append(functools.partial(self.bars, one, x, y))
            elif isinstance(one, container.ErrorbarContainer):
                auxiliary.update(one.lines[1])
                if one.lines[0] is not None and not label_of(one.lines[0]):
                    one.lines[0]._agb_label = label_of(one)
            elif isinstance(one, container.StemContainer):
                auxiliary.add(one.baseline)
                one.markerline._agb_label = label_of(one)
        for line in axes.lines:
            if getattr(line, "_agb_box", None):
                every.append(functools.partial(self.box, line, x, y))
            elif not hasattr(line, "_agb_box") and line not in auxiliary and line.get_transform() is axes.transData:
                every.append(functools.partial(self.line, line, x, y))
        for one in axes.collections:
            if isinstance(one, collections.PathCollection) and len(one.get_offsets()):
                every.append(functools.partial(self.points, one, x, y))
        return every

    def pie(self, axes, wedges):
        wedges = wedges[: self.take(len(wedges))]
        texts = [t.get_text() for t in axes.texts]
        texts = texts[:: len(texts) // len(wedges)] if wedges and len(texts) in (len(wedges), 2 * len(wedges)) else []
        labels = [label_of(w) for w in wedges]
        if not any(labels) and texts and not all(t.endswith("%") for t in texts):
            labels = [t[:label_limit] for t in texts]
        return {"kind": "pie", "label": "", "labels": labels, "values": [round((w.theta2 - w.theta1) / 360, 6) for w in wedges]}

    def bars(self, bars, x, y):
        patches = [p for p in bars.patches if hasattr(p, "get_width")]
        patches = patches[: self.take(len(patches))]
        upright = getattr(bars, "orientation", "vertical") != "horizontal"
        if upright:
            places = [x.category(p.get_x() + p.get_width() / 2) for p in patches]
            values, bases = [number(p.get_height()) for p in patches], [number(p.get_y()) for p in patches]
        else:
            places = [y.category(p.get_y() + p.get_height() / 2) for p in patches]
            values, bases = [number(p.get_width()) for p in patches], [number(p.get_x()) for p in patches]
        series = {
            "kind": "bar",
            "label": label_of(bars),
            "orientation": "vertical" if upright else "horizontal",
            "categories": places,
            "values": values,
        }
        if any(bases):
            series["bases"] = bases
        return series

    def line(self, line, x, y):
        xs, ys = line.get_xdata(orig=False), line.get_ydata(orig=False)
        n = self.take(min(len(xs), len(ys)))
        dots = line.get_linestyle() in ("None", "none", " ", "") and line.get_marker() not in ("None", "none", " ", "", None)
        return {
            "kind": "scatter" if dots else "line",
            "label": label_of(line) or getattr(line, "_agb_label", ""),
            "x": [x.value(v) for v in xs[:n]],
            "y": [y.value(v) for v in ys[:n]],
        }

    def points(self, points, x, y):
        from numpy import ma

        places = points.get_offsets()
        places = ma.filled(ma.asarray(places[: self.take(len(places))], dtype=float), math.nan)
        return {
            "kind": "scatter",
            "label": label_of(points),
            "x": [x.value(p[0]) for p in places],
            "y": [y.value(p[1]) for p in places],
        }

    def box(self, median, x, y):
        box = median._agb_box
        self.take(1)
        xs, ys = median.get_xdata(orig=False), median.get_ydata(orig=False)
        upright = len(ys) > 1 and ys[0] == ys[-1]
        axis, places = (x, xs) if upright else (y, ys)
        label = axis.category((places[0] + places[-1]) / 2) if len(places) else None
        outliers = box["outliers"][: self.take(len(box["outliers"]))]
        series = {
            "kind": "box",
            "label": label if isinstance(label, str) else box["label"],
            "orientation": "vertical" if upright else "horizontal",
        }
        series.update({name: number(box[name]) for name in ("min", "q1", "median", "q3", "max")})
        series["outliers"] = [number(v) for v in outliers]
        return series
