"""CLASS_COLORS: the colors of classes wherever masks and boxes are drawn."""

# Of class 0, 1, ...; matplotlib's ten.
CLASS_COLORS: tuple[tuple[int, int, int], ...] = (
    (31, 119, 180),
    (255, 127, 14),
    (44, 160, 44),
    (214, 39, 40),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (127, 127, 127),
    (188, 189, 34),
    (23, 190, 207),
)
