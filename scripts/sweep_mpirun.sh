#!/bin/bash
# A sweep over several machines by Open MPI: rank 0 hands out points, the others compute them.
#
# usage: sweep_mpirun.sh SPEC.json DIR [HOSTFILE]
#
# llmsim has to be built where MPI is found, and the spec, the trace and the catalogues have to be at
# the same paths on every machine; only rank 0 needs DIR. Started once more, it does what is not
# finished. Without HOSTFILE: one rank for each core of this machine, and one that hands out.
set -euo pipefail
[ $# = 2 ] || [ $# = 3 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
if [ $# = 3 ]; then
    where=(--hostfile "$3")
else
    where=(--oversubscribe -n $(($(nproc) + 1)))
fi
exec mpirun "${where[@]}" llmsim sweep "$1" --output "$2"
