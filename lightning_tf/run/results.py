"""Results: what an evaluation has measured, a dict that a notebook shows as a table."""

from lightning_tf.html_table import html_table


class Results(dict[str, float]):
    """Values by name; equal to a dict of them, printed and pickled as one is.

    Example:
        >>> Results(val_loss=0.5) == {"val_loss": 0.5}
        True
    """

    def _repr_html_(self) -> str:
        return html_table(["metric", "value"], [[str(n), f"{v:.6g}"] for n, v in self.items()])
