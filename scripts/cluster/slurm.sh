#!/usr/bin/env bash
# Before the first job: srun with the same options and .venv/bin/lightning-tf doctor --gpu
# One worker a node with all of its GPUs. Submit from the repository's root: sbatch scripts/cluster/slurm.sh
#SBATCH --job-name=lightning-tf
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-task=8
#SBATCH --cpus-per-task=32
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
set -euo pipefail

# --kill-on-bad-exit: where one worker fails, SLURM ends the others if they have not ended by themselves.
srun --distribution=block --kill-on-bad-exit=1 --wait=90 \
  .venv/bin/python -u scripts/image_classification.py --resume "$@"
