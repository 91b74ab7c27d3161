"""TextClassification.explain: words that a class is decided by, and scores that sum up to it."""

import re

import keras
import numpy as np
import pytest
from helpers.boring import fitted
from helpers.texts import texts

from lightning_tf.exceptions import ConfigurationError, LightningTFError
from lightning_tf.tasks import TextClassification, TextExplanation

SMALL = {"vocabulary_size": 40, "embedding_size": 8, "units": 8, "batch_size": 8}


def learned(network="bag_of_words", classes=2, data=None, **options):
    data = texts(96, classes) if data is None else data
    task = TextClassification(data, network, **{**SMALL, "learning_rate": 0.05, **options})
    fitted(task, max_epochs=8, seed=0)
    return task


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("bag"))
        return learned()


def completeness(explanation):
    """Return by how much the scores miss what they must sum up to."""
    difference = explanation.log_odds - explanation.log_odds_of_nothing
    return abs(explanation.scores.sum() - difference)


def test_the_words_of_a_kind_decide(bag):
    good, bad = bag.explain(["A lovely film.", "The plot was boring"])
    names = bag.class_names
    assert (good.class_name, bad.class_name) == (names[1], names[0])
    assert good.words == ("a", "lovely", "film")
    assert good.strongest(1)[0][0] == "lovely"
    assert bad.strongest(1)[0][0] == "boring"
    assert good.probability == pytest.approx(
        bag.predict_step(["A lovely film."]).numpy()[0, 1], abs=1e-6
    )


def test_of_a_bag_and_two_classes_the_scores_are_exact_with_one_step(bag):
    (one,), (many,) = (bag.explain("the superb cast", steps=steps) for steps in (1, 50))
    np.testing.assert_allclose(one.scores, many.scores, atol=1e-5)
    assert completeness(one) < 1e-4
    assert one.log_odds == pytest.approx(np.log(one.probability / (1 - one.probability)), abs=1e-3)


def test_the_other_class_has_the_opposite_scores(bag):
    text = "superb cast, dull story"
    one, other = (bag.explain(text, name)[0] for name in bag.class_names)
    np.testing.assert_allclose(one.scores, -other.scores, atol=1e-5)
    assert one.probability + other.probability == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "classes", "options"),
    [
        ("embedding_bag", 2, {}),
        ("bag_of_words", 3, {}),
        ("bag_of_words", 2, {"ngrams": 3}),
        ("bag_of_words", 2, {"ngrams": 2, "max_length": 4}),
        ("gru", 2, {}),
        ("bidirectional_lstm", 3, {}),
        ("convolution", 2, {}),
    ],
)
def test_the_scores_of_every_named_network_sum_up_to_the_log_odds(network, classes, options):
    task = learned(network, classes, **options)
    (explanation,) = task.explain("the boring cast and a story", steps=300)
    assert completeness(explanation) < 0.05 * max(1.0, abs(explanation.log_odds))
    count = min(6, options.get("max_length", 6))
    assert explanation.words == ("the", "boring", "cast", "and", "a", "story")[:count]
    assert explanation.scores.shape == (count,)
    if "max_length" not in options:
        assert explanation.class_name == task.class_names[0]
        assert explanation.strongest(1)[0][0] == "boring"


@pytest.mark.slow
def test_a_keras_model_of_a_user_is_explained_too():
    layers = [
        keras.Input((None,), dtype="int32"),
        keras.layers.Embedding(40, 8, mask_zero=True),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(2, activation="softmax"),
    ]
    task = TextClassification(
        texts(96), keras.Sequential(layers), vocabulary_size=40, batch_size=8, learning_rate=0.05
    )
    fitted(task, max_epochs=8, seed=0)
    (explanation,) = task.explain("a lovely film")
    assert explanation.strongest(1)[0][0] == "lovely"
    assert completeness(explanation) < 1e-3


def test_html_has_colors_marks_and_no_markup_of_the_text():
    scores = np.array([2.0, -1.5, 0.1])
    words = ("<script>", "dull", "film")
    explanation = TextExplanation(words, scores, "a&b", 0.75, 1.1, 0.5)
    html = explanation.html()
    assert html == explanation._repr_html_()
    assert "<script>" not in html
    assert "<b><u>&lt;script&gt;</u></b>" in html
    assert "<i>[dull]</i>" in html
    assert "a&amp;b" in html
    assert "0.750" in html
    assert "[film]" not in html
    page = TextExplanation.page([explanation, explanation], "Two <texts>")
    assert page.count('<p style="line-height') == 2
    assert "Two &lt;texts&gt;" in page


def test_unknown_words_are_gray_and_no_words_are_said(bag):
    unknown, some, empty = bag.explain(["qqq <zzz>", "film lovely qqq", "..."])
    assert unknown.known == (False, False)
    assert some.known == (True, True, False)
    for explanation, said in ((unknown, "no word is in the vocabulary"), (empty, "no words")):
        assert f"({said})" in explanation.html()
        assert "background" not in explanation.html()
        assert not {"<b>", "<i>"} & set(re.findall("<.>", explanation.html()))
    assert "[NOTHING]" not in empty.html()
    assert 'title="not in the vocabulary">qqq</span>' in some.html()
    assert "<b><u>lovely</u></b>" in some.html()


def test_a_text_without_evidence_is_pale_and_a_long_one_of_small_scores_is_not():
    weak = TextExplanation(("fine", "film"), np.array([0.04, 0.01]), "pos", 0.505, 0.02, -0.03)
    assert "<b>" not in weak.html()
    assert "rgba(37,99,235,0.03)" in weak.html()  # 0.5 * 0.05 of log-odds
    long = TextExplanation(("fine",) * 20, np.full(20, 0.1), "pos", 0.9, 2.2, 0.2)
    assert long.html().count("<b><u>fine</u></b>") == 20


def test_a_page_names_each_text():
    one = TextExplanation(("fine",), np.array([2.0]), "pos", 0.9, 2.2, 0.2)
    page = TextExplanation.page([one, one], "Two", ["row 0 <a>.txt", "row 1"])
    assert "<small>row 0 &lt;a&gt;.txt</small> <strong>pos</strong>" in page
    assert "<small>row 1</small>" in page
    with pytest.raises(ConfigurationError, match="are 1 for 2 explanations; give one for each"):
        TextExplanation.page([one, one], "Two", ["row 0"])


def test_a_text_without_words_and_no_texts_are_explained(bag):
    (empty,) = bag.explain("...")
    assert np.isfinite(empty.scores).all()
    assert bag.explain([]) == []


def test_what_cannot_be_explained_is_refused(bag):
    with pytest.raises(ConfigurationError, match=r"class_name='godo'.*did you mean|class_name="):
        bag.explain("a film", "godo")
    with pytest.raises(ConfigurationError, match="steps"):
        bag.explain("a film", steps=0)
    with pytest.raises(LightningTFError):
        TextClassification(texts()).explain("a film")


@pytest.mark.slow
def test_a_network_of_strings_is_refused_with_what_can_be_explained():
    vectorize = keras.layers.TextVectorization(max_tokens=40)
    vectorize.adapt(texts()[0])
    layers = [keras.Input((), dtype="string"), vectorize, keras.layers.Embedding(40, 4)]
    layers += [keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(2)]
    task = TextClassification(texts(), keras.Sequential(layers, name="strings"), batch_size=8)
    fitted(task, max_epochs=1, seed=0)
    with pytest.raises(ConfigurationError, match=r"'strings' cannot be explained.*bag_of_words"):
        task.explain("a film")
