"""The Parquet tables in a wheel of aiconfigurator-core, as CSV: for scripts/fetch_kernels.sh.

usage: kernel_tables.py WHEEL DIR [SYSTEM...]
"""

import csv
import gzip
import os
import re
import sys
import tempfile
import zipfile

# .../systems/data/SYSTEM/FAMILY/ENGINE/VERSION/TABLE_perf.parquet
MEMBER = re.compile(r".*/systems/data/([^/]+)/[^/]+/([^/]+)/([^/]+)/(\w+)_perf\.parquet")
# What is the same in every row of a file, or says nothing of the kernel.
DROPPED = {"framework", "version", "device", "power", "power_limit"}


def version_key(text):
    """0.5.10 after 0.5.9; 1.3.0rc10 after 1.3.0rc9, before 1.3.0."""
    return [(0, int(part), "") if part.isdigit() else (-1 if part in ("rc", "dev") else 1, 0, part)
            for part in re.findall(r"\d+|[a-z]+", text)] + [(0, -1, "")]


def newest(names):
    """{(system, engine, table): (version, member)}"""
    found = {}
    for name in names:
        match = MEMBER.fullmatch(name)
        if match:
            system, engine, version, table = match.groups()
            key = (system, engine, table)
            if key not in found or version_key(version) > version_key(found[key][0]):
                found[key] = (version, name)
    return found


def read_parquet(data):
    """Column names and rows."""
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(data)
        file.flush()
        try:
            import duckdb
        except ImportError:
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(file.name)
            return table.column_names, zip(*(c.to_pylist() for c in table.columns))
        result = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [file.name])
        return [c[0] for c in result.description], result.fetchall()


def write_table(path, columns, rows):
    kept = [i for i, c in enumerate(columns) if c not in DROPPED]
    header = ["latency_ms" if columns[i] == "latency" else columns[i] for i in kept]
    n = 0
    # Without a time in the file, the same tables give the same bytes.
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        def put(values):
            packed.write((",".join(values) + "\n").encode())
        put(header)
        for row in rows:
            put(["" if row[i] is None else f"{row[i]:.4g}" if columns[i] == "latency"
                 else str(row[i]) for i in kept])
            n += 1
    return header, n


def main():
    wheel, out, systems = sys.argv[1], sys.argv[2], set(sys.argv[3:])
    archive = zipfile.ZipFile(wheel)
    tables = newest(archive.namelist())
    missing = systems - {system for system, _, _ in tables}
    if missing or not tables:
        sys.exit(f"{wheel}: no tables of {', '.join(sorted(missing)) or 'any system'}")
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "index.csv"), "w", newline="") as file:
        index = csv.writer(file, lineterminator="\n")
        index.writerow(["system", "engine", "version", "table", "rows", "columns"])
        for (system, engine, table), (version, member) in sorted(tables.items()):
            if systems and system not in systems:
                continue
            folder = os.path.join(out, system, engine)
            os.makedirs(folder, exist_ok=True)
            columns, rows = read_parquet(archive.read(member))
            header, n = write_table(os.path.join(folder, table + ".csv.gz"), columns, rows)
            index.writerow([system, engine, version, table, n, " ".join(header)])
            print(f"{system}/{engine}/{table}: {n} rows of {version}", flush=True)


main()
