import pytest

from lightning_tf.callbacks.checkpointing.file_name_template import FileNameTemplate
from lightning_tf.exceptions import ConfigurationError

VALUES = {"epoch": 3, "step": 120, "val_loss": 0.12345, "val/f1": 0.5}


@pytest.mark.parametrize(
    ("text", "with_names", "name"),
    [
        ("{epoch}-{step}", True, "epoch=3-step=120"),
        ("{epoch:03d}_{val_loss:.3f}", True, "epoch=003_val_loss=0.123"),
        ("best-{val_loss:.2e}", False, "best-1.23e-01"),
        ("plain", True, "plain"),
        ("{val/f1}", True, "val_f1=0.5"),
        ("../{epoch}", True, ".._epoch=3"),
        ("{{{epoch}}}", False, "{3}"),
    ],
)
def test_fields_are_filled(text, with_names, name):
    assert FileNameTemplate(text, with_names).fill(VALUES) == name


def test_metrics_are_the_fields_that_are_no_position():
    assert FileNameTemplate("{epoch}{step}{val_loss:.1f}{val/f1}").metrics == {"val_loss", "val/f1"}


@pytest.mark.parametrize(
    "text", ["{epoch", "{}", "{epoch!r}", "{val_loss:q}", "{epoch:.3q}", "{:.3f}"]
)
def test_what_is_no_template_is_refused_at_once(text):
    with pytest.raises(ConfigurationError, match="filename="):
        FileNameTemplate(text)


def test_an_unknown_metric_is_named_with_the_known_ones():
    template = FileNameTemplate("{epoch}-{val_los:.3f}")
    template.check({"val_los"})
    with pytest.raises(
        ConfigurationError, match=r"'val_los'.*Did you mean 'val_loss'.*epoch, loss"
    ):
        template.check({"loss", "val_loss"})
