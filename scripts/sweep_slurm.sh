#!/bin/bash
# A sweep as a Slurm array: one task a shard, then one that joins them.
#
# usage: sbatch scripts/sweep_slurm.sh SPEC.json DIR
#
# The number of shards is that of the array. Submitted once more, it does what is not finished.
#SBATCH --job-name=llmsim-sweep
#SBATCH --array=0-15
#SBATCH --cpus-per-task=8
#SBATCH --time=01:00:00
set -euo pipefail
[ $# = 2 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
spec=$1 dir=$2
first=$SLURM_ARRAY_TASK_MIN count=$SLURM_ARRAY_TASK_COUNT
shard=$((SLURM_ARRAY_TASK_ID - first))

# Points that fail are rows of the table, which is no reason to stop: exit code 1.
srun llmsim sweep "$spec" --shard "$shard/$count" --jobs "$SLURM_CPUS_PER_TASK" \
    --output "$dir/shard-$shard" || [ $? = 1 ]

# Whoever finds all tables there joins them; a lock lets only one do it.
finished=("$dir"/shard-*/sweep.csv)
if [ ${#finished[@]} = "$count" ]; then
    flock "$dir" llmsim sweep merge "$dir"/shard-* --output "$dir/whole" || [ $? = 1 ]
fi
