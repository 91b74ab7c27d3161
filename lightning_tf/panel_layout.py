"""PanelLayout: room for the labels of a figure's panels, measured once."""

from typing import Any

from matplotlib.layout_engine import LayoutEngine

PAD = 0.08  # inches around what was measured
LEAST = 0.3  # of a panel's share of the figure, for the panel itself where its labels fill it


class PanelLayout(LayoutEngine):
    """Gives all panels of a figure the room that the largest labels of one of them take.

    Constrained layout measures everything twice at each drawing: a third of a figure's time. This
    one measures once, when the figure is first drawn. A title or an axis' label longer than its
    panel becomes smaller, so that none is cut or lies over another's.

    Panels are made by `add_subplot` or `subplots`, in one grid. What belongs to a panel, such as a
    colour bar in its `inset_axes` or a legend beside it, counts as its label. Axes with a place of
    their own stay there.

    Example:
        >>> figure = Figure(figsize=(7, 4), layout=PanelLayout())
        >>> figure.add_subplot().set_xlabel("rows ahead")
    """

    _adjust_compatible = True
    _colorbar_gridspec = True

    def __init__(self) -> None:
        super().__init__()
        self._is_done = False

    def execute(self, fig: Any) -> None:
        """Measure the labels and place the panels, unless that is done.

        Args:
            fig: The figure, at the resolution at which it is drawn.
        """
        panels = [axes for axes in fig.axes if axes.get_subplotspec() is not None]
        if self._is_done or not panels:
            return
        self._is_done = True

        # At their largest, panels have the most ticks, and bars beside them are the widest.
        fig.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0, hspace=0)
        _place(fig, panels)
        # A panel that keeps its aspect by its limits has other ticks in another place.
        if any(axes.get_adjustable() == "datalim" for axes in panels):
            _place(fig, panels)


def _place(fig: Any, panels: list[Any]) -> None:
    """Measure all labels, place the panels between them, and make long titles fit."""
    pad, width, height = PAD * fig.dpi, fig.bbox.width, fig.bbox.height  # pixels
    sides = [_label_sides(axes) for axes in panels]
    left, right, bottom, top = (max(side) + pad for side in zip(*sides, strict=True))
    left, right = _leaving_room(left, right, width)
    bottom, top = _leaving_room(bottom, top, height)
    grid = panels[0].get_subplotspec().get_gridspec()
    wide = _panel_side(width / grid.ncols, left + right)
    high = _panel_side(height / grid.nrows, bottom + top)

    fig.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=(left + right) / wide,
        hspace=(bottom + top) / high,
    )
    # They stand over a panel's middle.
    for axes in panels:
        for text in (axes.title, axes.xaxis.label):
            _shrink(text, wide + 2 * (min(left, right) - pad / 2))
        _shrink(axes.yaxis.label, high + 2 * (min(bottom, top) - pad / 2))


def _leaving_room(before: float, after: float, length: float) -> tuple[float, float]:
    """Return the margins, smaller where labels would leave nothing of the figure to its panels."""
    share = min(1.0, (1.0 - LEAST) * length / (before + after))
    return before * share, after * share


def _label_sides(axes: Any) -> tuple[float, float, float, float]:
    """Return how far labels reach out of a panel at the left, right, bottom and top, in pixels."""
    around = axes.get_tightbbox(for_layout_only=True)
    frame = axes.bbox
    return (
        frame.x0 - around.x0,
        around.x1 - frame.x1,
        frame.y0 - around.y0,
        around.y1 - frame.y1,
    )


def _panel_side(share: float, around: float) -> float:
    return max(share - around, LEAST * share)


def _shrink(text: Any, room: float) -> None:
    """Make a text smaller that is longer than its room, in pixels."""
    while text.get_text() and text.get_fontsize() > 1:
        box = text.get_window_extent()
        length = max(box.width, box.height)
        if length <= room:
            return
        # More than once, because small letters are rounded to whole pixels.
        text.set_fontsize(text.get_fontsize() * room / length)
