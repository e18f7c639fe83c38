#!/bin/bash
# Take measured kernel tables from the Python package aiconfigurator-core (NVIDIA, Apache 2.0), into
# the folders that scripts/make_kernels.sh and `llmsim fit kernels` read: DIR/SYSTEM/ENGINE/TABLE.csv.gz
# and DIR/index.csv.
#
# usage: fetch_kernels.sh [--version X] [--wheel FILE] [--system NAME]... DIR
#
# --version: of the package (default: 0.12.0). --wheel: a file that pip has downloaded already.
# --system: only these systems (h100_sxm, b200_sxm, …; default: all).
#
# Of each table the newest version of the engine is taken. Needs pip and the Python package duckdb or
# pyarrow, which read the package's Parquet files. Exit status: 0 all is there, 1 not.
set -euo pipefail
version=0.12.0 wheel='' systems=() dir=''
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }
while [ $# -gt 0 ]; do
    case $1 in
    --version) version=$2 && shift ;;
    --wheel) wheel=$2 && shift ;;
    --system) systems+=("$2") && shift ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) dir=$1 ;;
    esac
    shift
done
[ -n "$dir" ] || { usage >&2 && exit 2; }
if [ -z "$wheel" ]; then
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    pip download --quiet --no-deps --dest "$scratch" "aiconfigurator-core==$version"
    wheel=$(echo "$scratch"/*.whl)
fi
python3 "$(dirname "$0")/kernel_tables.py" "$wheel" "$dir" "${systems[@]}"
