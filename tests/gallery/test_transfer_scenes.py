import pandas
from PIL import Image

from lightning_tf.gallery import transfer_scenes


def test_the_surest_mistake_is_drawn_first(tmp_path):
    Image.new("RGB", (10, 10)).save(tmp_path / "photo.jpg")
    table = pandas.DataFrame(
        {
            "path": [tmp_path / "photo.jpg"] * 4,
            "scene": ["sea", "sea", "forest", "forest"],
            "label": ["sea", "forest", "sea", "forest"],
            "probability": [0.99, 0.6, 0.9, 0.7],
        }
    )
    figure = transfer_scenes.draw(table)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["2 of 4 test photos right", "sea,\nnot forest", "forest,\nnot sea"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "1", "1", "1"]
