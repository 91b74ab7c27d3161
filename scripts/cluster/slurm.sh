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
#SBATCH --open-mode=append
set -uo pipefail

max_requeues=${MAX_REQUEUES:-100}

# srun gives the highest exit code of all workers. One that only lost another ends with 143, so an error of the program
# becomes 255. SLURM signals this shell too, which waits for its program.
worker='
  trap : TERM USR1
  "$@"
  code=$?
  case $code in
    0 | 137 | 138 | 143) exit $code ;;
    *) echo "exit code $code: an error of the program"; exit 255 ;;
  esac
'

# --wait: where one worker is gone the others notice it and end by themselves; SLURM ends those that have not.
srun --distribution=block --kill-on-bad-exit=0 --wait=90 bash -c "$worker" worker \
  "${PYTHON:-.venv/bin/python}" -u scripts/image_classification.py --resume "$@"
code=$?

# 143 means "try again"; 137 is a killed worker, 138 one that got USR1 while Python was starting.
case $code in
  137 | 138 | 143)
    if [ "${SLURM_RESTART_COUNT:-0}" -lt "$max_requeues" ]; then
      echo "exit code $code: job $SLURM_JOB_ID is requeued"
      scontrol requeue "$SLURM_JOB_ID" && exit 0
    fi
    ;;
esac
exit $code
