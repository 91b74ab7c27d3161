"""Unrolling: whether a recurrent network is written out step by step or runs as a loop."""

from lightning_tf.trainer import Trainer

# Of one cell (a layer at one row of the window), beyond what the loop takes: seconds to trace and
# optimise it, and seconds that an update saves. On 2 cores (AMD EPYC), 64 units, batch 64: measured
# for lstm, the others in the ratios of their CPU time.
TRACING = {"rnn": 0.011, "gru": 0.065, "lstm": 0.03}
SAVED = {"rnn": 7e-6, "gru": 10e-6, "lstm": 9e-6}
MARGIN = 2  # a run that ends early, as EarlyStopping lets it, shall not have lost
MOST_CELLS = 256  # beyond this tracing takes half a minute and the graph some hundred megabytes
MOST_UNITS = 128  # beyond this the products outweigh what the loop costs
SAVED_SHARE = 0.25  # of a run's time, where only its time is limited


def unrolling_pays(kind: str, cells: int, units: int, trainer: Trainer | None) -> bool:
    """Return whether a fit regains the time that tracing a written-out network takes.

    The loop over the rows of a window costs a CPU more than small products do; a GPU runs the loop
    in one kernel. The answer follows from the run's settings alone, never from a clock, so that the
    same run gets the same answer.

    Args:
        kind: rnn, gru or lstm.
        cells: Rows of the window times layers, twice that where both ends are read.
        units: Of a layer.
        trainer: Of the fit; None outside of one.

    Returns:
        False outside of a fit, on a GPU, under XLA, for long windows and for short runs.

    Example:
        >>> unrolling_pays("lstm", cells=120, units=64, trainer=None)
        False
    """
    if trainer is None or trainer.entry_point != "fit" or trainer.jit_compile is True:
        return False
    placement = trainer.placement
    if "CPU" not in placement.device.upper() or cells > MOST_CELLS or units > MOST_UNITS:
        return False

    tracing = TRACING[kind] * cells * len(placement.devices)  # every replica is traced
    saved = SAVED[kind] * cells * trainer.estimated_stepping_batches
    if trainer.max_seconds is not None:
        saved = min(saved, SAVED_SHARE * trainer.max_seconds)
    return saved >= MARGIN * tracing
