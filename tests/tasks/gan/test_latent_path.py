"""latent_paths: ends are met, and points stay where latent vectors are."""

import numpy as np

from lightning_tf.tasks.gan.generator_task import latent_paths


def test_a_path_begins_and_ends_at_its_vectors_and_keeps_their_length():
    random = np.random.default_rng(0)
    starts, ends = random.normal(size=(2, 4, 100))
    paths = latent_paths(starts, ends, 7)
    assert paths.shape == (4, 7, 100)
    np.testing.assert_allclose(paths[:, 0], starts, atol=1e-9)
    np.testing.assert_allclose(paths[:, -1], ends, atol=1e-9)
    lengths = np.linalg.norm(paths, axis=-1)
    assert (np.abs(lengths - 10) < 2).all()


def test_a_path_between_equal_vectors_stays():
    start = np.array([[1.0, 2.0]])
    np.testing.assert_allclose(latent_paths(start, start, 3), [[[1, 2]] * 3])
