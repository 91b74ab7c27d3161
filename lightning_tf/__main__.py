"""``python -m lightning_tf``: the `lightning-tf` command."""

import sys

from lightning_tf.cli.main import main

sys.exit(main())
