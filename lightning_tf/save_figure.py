"""save_figure: a figure as PNG, of which nothing is cut."""

from typing import Any


def save_figure(figure: Any, file: Any, dpi: int) -> None:
    """Write a figure as PNG; one with a `PanelLayout` is drawn once.

    Args:
        figure: A matplotlib Figure, or anything with its `savefig`.
        file: A path or a binary file.
        dpi: Pixels of an inch.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from lightning_tf.panel_layout import PanelLayout

    engine = getattr(figure, "get_layout_engine", lambda: None)()
    if not isinstance(engine, PanelLayout):
        # Where the labels of others' figures end, only drawing them tells.
        figure.savefig(file, format="png", dpi=dpi, bbox_inches="tight")
        return

    # The canvas writes without the drawing that `savefig` does before, for layout engines.
    canvas: Any = FigureCanvasAgg(figure)
    own_dpi, figure.dpi = figure.dpi, dpi
    try:
        canvas.print_png(file, pil_kwargs={"compress_level": 1})
    finally:
        figure.dpi = own_dpi
