#!/bin/bash
# Run the commands in the documents and compare what they print with what the documents say.
#
# A fenced block marked ```console holds commands, on lines that begin with "$ ", each followed by
# its output, standard error included. A command goes on in the next line after a backslash, and in
# lines that begin with "> ". A line "..." in the output stands for any lines. Blocks of any other
# kind (```sh and so on) are not run.
#
# The blocks of one document run in order in one shell, in a fresh directory with copies of
# README.md, data, docs, scripts and traces, with `llmsim` on the PATH.
#
# usage: check_docs.sh [--program PATH] [--update] [DOCUMENT...]   (default: README.md docs/*.md)
#
# --update writes the output of now into the documents, "..." where it still fits.
set -uo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
program=$source/build/release/llmsim
update=false
documents=()

while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$(realpath "$2") && shift ;;
    --update) update=true ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) documents+=("$(realpath "$1")") ;;
    esac
    shift
done
if [ ${#documents[@]} = 0 ]; then
    for document in "$source"/README.md "$source"/docs/*.md; do
        [ -e "$document" ] && documents+=("$document")
    done
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Does FILE have the lines that EXPECTED asks for, "..." being any?
fits() { # EXPECTED FILE
    awk '
        FNR == NR { want[++n_want] = $0; next }
        { have[++n_have] = $0 }
        function fits(i, j,    k) {
            if (i > n_want)
                return j > n_have
            if (want[i] == "...") {
                for (k = j; k <= n_have + 1; k++)
                    if (fits(i + 1, k))
                        return 1
                return 0
            }
            return j <= n_have && want[i] == have[j] && fits(i + 1, j + 1)
        }
        END { exit !fits(1, 1) }' <(cat "$1" && echo .) <(cat "$2" && echo .)
}

# Split DOCUMENT into $scratch/doc: text.0 (up to and with the first command's lines), cmd.1,
# expected.1, text.1 (what stands before the second command's output), and so on. The document is
# text.0 expected.1 text.1 expected.2 … Prints the number of commands.
split_document() { # DOCUMENT
    awk -v out="$scratch/doc/" '
        function text(line) { print line > (out "text." n) }
        function start_command(line) {
            text(line)
            n++
            command = out "cmd." n
            printf "" > (out "expected." n)
            printf "" > (out "text." n)
            line_of[n] = NR
            add_command(substr(line, 3))
        }
        function add_command(line) {
            print line > command
            more = line ~ /\\$/
        }
        BEGIN { n = 0; printf "" > (out "text.0") }
        !inside { text($0); inside = $0 == "```console"; had = 0; next }
        $0 == "```" { inside = 0; more = 0; text($0); next }
        # What continues a command belongs to the text before its output.
        more || (fresh && /^> /) {
            print > (out "text." (n - 1))
            sub(/^> /, "")
            add_command($0)
            next
        }
        /^\$ / { start_command($0); fresh = 1; had = 1; next }
        !had { print FILENAME ":" NR ": a console block begins with a command" > "/dev/stderr"; bad = 1 }
        { fresh = 0; print > (out "expected." n) }
        END {
            for (i = 1; i <= n; i++)
                print line_of[i] > (out "lines")
            print n
            exit bad
        }' "$1"
}

# Run cmd.1 … cmd.N in one shell; leaves actual.1 … actual.N.
run_commands() { # N
    rm -rf "$scratch/tree" && mkdir "$scratch/tree"
    for part in README.md data docs scripts traces; do
        [ ! -e "$source/$part" ] || cp -r "$source/$part" "$scratch/tree/"
    done
    (
        cd "$scratch/tree" || exit
        export PATH=${program%/*}:$PATH LLMSIM_DATA=$PWD/data LC_ALL=C COLUMNS=100
        for ((docs_i = 1; docs_i <= $1; docs_i++)); do
            # shellcheck disable=SC1090
            . "$scratch/doc/cmd.$docs_i" >"$scratch/doc/actual.$docs_i" 2>&1 </dev/null
            # As on a terminal, the next prompt begins a line.
            [ -z "$(tail -c1 "$scratch/doc/actual.$docs_i")" ] ||
                echo >>"$scratch/doc/actual.$docs_i"
        done
    )
}

n_commands=0 n_failed=0
check_document() { # DOCUMENT
    local document=$1 name=${1#"$source/"} n i
    rm -rf "$scratch/doc" && mkdir "$scratch/doc"
    n=$(split_document "$document") || n_failed=$((n_failed + 1))
    run_commands "$n"
    n_commands=$((n_commands + n))
    cp "$scratch/doc/text.0" "$scratch/doc/updated"
    for ((i = 1; i <= n; i++)); do
        if fits "$scratch/doc/expected.$i" "$scratch/doc/actual.$i"; then
            cat "$scratch/doc/expected.$i" >>"$scratch/doc/updated"
        else
            n_failed=$((n_failed + 1))
            echo "$name:$(sed -n "${i}p" "$scratch/doc/lines"): $(head -1 "$scratch/doc/cmd.$i")"
            diff -u --label "the document" --label "the program" \
                "$scratch/doc/expected.$i" "$scratch/doc/actual.$i"
            cat "$scratch/doc/actual.$i" >>"$scratch/doc/updated"
        fi
        cat "$scratch/doc/text.$i" >>"$scratch/doc/updated"
    done
    if $update && ! cmp -s "$scratch/doc/updated" "$document"; then
        cp "$scratch/doc/updated" "$document"
        echo "$name: updated"
    fi
}

# A link to a file of the tree has to lead somewhere.
check_links() { # DOCUMENT
    local target
    while read -r target; do
        if ! [ -e "${1%/*}/$target" ]; then
            n_failed=$((n_failed + 1))
            echo "${1#"$source/"}: the link to '$target' leads nowhere"
        fi
    done < <(grep -oE '\]\([^)#: ]+' "$1" | cut -c3-)
}

for document in "${documents[@]}"; do
    check_document "$document"
    check_links "$document"
done
if $update; then
    echo "$n_commands commands run in ${#documents[@]} documents"
elif [ $n_failed != 0 ]; then
    echo "$n_failed things in the documents do not hold." \
        "If the program is right: scripts/check_docs.sh --update"
    exit 1
else
    echo "$n_commands commands in ${#documents[@]} documents print what the documents say"
fi
