#!/bin/sh
# Download the public traces that llmsim reads, and check that they are the ones we know.
#
# usage: fetch_traces.sh [DIR]      (default: traces/public beside this script's folder)
#
# A file that is there with the right checksum is left alone. Exit status: 0 all are there, 1 one
# could not be had or differs.
set -u
case ${1:-} in
-h | --help)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
-*)
    echo "fetch_traces.sh: unknown option $1; see fetch_traces.sh --help" >&2
    exit 2
    ;;
esac
here=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:-$here/traces/public}

azure=https://raw.githubusercontent.com/Azure/AzurePublicDataset/master/data
mooncake=https://raw.githubusercontent.com/kvcache-ai/Mooncake/main/FAST25-release/traces

# name, SHA-256, address. Azure: CC-BY (cite Splitwise, ISCA 2024). Mooncake: Apache 2.0 (cite
# Mooncake, FAST 2025).
traces="
AzureLLMInferenceTrace_conv.csv 2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8 $azure/AzureLLMInferenceTrace_conv.csv
AzureLLMInferenceTrace_code.csv 54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6 $azure/AzureLLMInferenceTrace_code.csv
mooncake_conversation.jsonl b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df $mooncake/conversation_trace.jsonl
mooncake_synthetic.jsonl bd070915a98fc0ed264d7cfef2ce746002eb3076a695ec31ba2674c0111ec131 $mooncake/synthetic_trace.jsonl
"

fail() {
    echo "fetch_traces.sh: $*" >&2
    failed=1
}

# Is FILE the one with this SHA-256?
is_known() { # FILE SHA256
    [ -f "$1" ] && [ "$(sha256sum <"$1")" = "$2  -" ]
}

fetch() { # NAME SHA256 URL
    if is_known "$dir/$1" "$2"; then
        echo "$1: already there"
        return
    fi
    curl --fail --silent --show-error --location --connect-timeout 15 --max-time 600 \
        --output "$dir/$1.part" "$3"
    case $? in
    0) ;;
    5 | 6 | 7 | 28)
        rm -f "$dir/$1.part"
        fail "no way to $3: is there a network?"
        return
        ;;
    *)
        rm -f "$dir/$1.part"
        fail "could not download $3"
        return
        ;;
    esac
    if is_known "$dir/$1.part" "$2"; then
        mv "$dir/$1.part" "$dir/$1"
        echo "$1: downloaded"
    else
        fail "$1 is not the file that we know (its SHA-256 differs); kept as $dir/$1.part"
    fi
}

command -v curl >/dev/null || { echo "fetch_traces.sh: curl is missing; install it" >&2 && exit 1; }
mkdir -p "$dir" || exit 1
failed=0
while read -r name sha256 url; do
    [ -n "$name" ] && fetch "$name" "$sha256" "$url"
done <<EOF
$traces
EOF
exit $failed
