#!/bin/bash
# Install to a temporary prefix; build programs against that by pkg-config and by find_package, in C
# and C++, static and shared; run them and the installed llmsim from another directory.
# usage: run.sh SOURCE_DIR WORK_DIR     (WORK_DIR keeps its build, so that a second run is short)
set -euo pipefail
source=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
prefix=$work/prefix static=$work/static
model=meta-llama/Llama-2-13b-hf
unset LLMSIM_DATA
exec 3>&1 >"$work/log" 2>&1
trap '[ $? = 0 ] || cat "$work/log" >&3' EXIT

say() { echo "$@" >&3; }
die() { say "$@" && exit 1; }

# 1. Install, with the generator and build type that a user who names none gets.
cmake -S "$source" -B "$work/build" -DLLMSIM_TESTS=OFF -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_INSTALL_PREFIX="$prefix"
cmake --build "$work/build" --parallel 2
rm -rf "$prefix" "$static"
cmake --install "$work/build"
lib=$(dirname "$(find "$prefix" -name libllmsim.a)")

diff -r "$source/include/llmsim" "$prefix/include/llmsim" ||
    die "the installed headers are not just the public ones"
[ "$(ls "$prefix/include")" = llmsim ] || die "a header outside include/llmsim was installed"
diff <(cd "$source/data" && find . -name "*.json" | sort) <(cd "$prefix/share/llmsim" && find . -type f | sort) ||
    die "share/llmsim is not data/*.json and data/kernels/*.json"
grep -rl "$source" "$prefix/include" "$lib/cmake" "$lib/pkgconfig" "$prefix/share" &&
    die "an installed file names the source tree"

# The same tree somewhere else and without the shared library, so that -lllmsim is the static one.
cmake --install "$work/build" --prefix "$static"
rm "$static/${lib#"$prefix"/}"/libllmsim.so*

# 2. An entry that only the installed catalogues have: whoever finds it has read them.
sed -i 's/"NVIDIA RTX A6000"/"Installed A6000"/' "$prefix"/share/llmsim/{gpu,ptps}.json
mkdir -p "$work/elsewhere" && cd "$work/elsewhere"
expected=$("$prefix/bin/llmsim" simulate --model $model --gpu "Installed A6000" \
    --prompt-length 512 --response-length 15 --format csv)
[ -n "$expected" ] || die "the installed llmsim does not see the installed catalogues"
say "installed llmsim reads its share directory"

# 3. Consumers, which may be stricter than we are.
check() { # PROGRAM: three requests, in the order in which they end
    "$1" $model "Installed A6000" >"$1.out"
    [ "$(cut -d' ' -f1 <"$1.out" | sort | tr '\n' ' ')" = "0 1 2 " ] || die "$1: wrong output"
    cmp "$1.out" "$work/elsewhere/first.out" || die "$1: not the same numbers"
    say "$(basename "$1") runs"
}
flags=(-Wall -Wextra -Wpedantic -Werror)
pc() { PKG_CONFIG_PATH=$1/${lib#"$prefix"/}/pkgconfig pkg-config "${@:2}" llmsim; }
# shellcheck disable=SC2046 # flags are words
{
    cc "${flags[@]}" "$source/tests/install/consumer.c" -o pc_shared_c \
        $(pc "$prefix" --cflags --libs) -Wl,-rpath,"$lib"
    c++ "${flags[@]}" "$source/tests/install/consumer.cc" -o pc_shared_cc \
        $(pc "$prefix" --cflags --libs) -Wl,-rpath,"$lib"
    cc "${flags[@]}" "$source/tests/install/consumer.c" -o pc_static_c \
        $(pc "$static" --static --cflags --libs)
    c++ "${flags[@]}" "$source/tests/install/consumer.cc" -o pc_static_cc \
        $(pc "$static" --static --cflags --libs)
}
./pc_shared_c $model "Installed A6000" >first.out
for program in pc_shared_c pc_shared_cc pc_static_c pc_static_cc; do
    check ./$program
done
ldd pc_static_c | grep libllmsim && die "pc_static_c is not static"

cmake -S "$source/tests/install" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_FLAGS="${flags[*]}" -DCMAKE_CXX_FLAGS="${flags[*]}"
cmake --build "$work/consumer" --parallel 2
for kind in static shared; do
    for language in c cc; do
        check "$work/consumer/consumer_${kind}_$language"
    done
done

# 4. Every public header stands alone, in both languages.
for header in "$prefix"/include/llmsim/*.h; do
    printf '#include "llmsim/%s"\nextern int alone;\n' "$(basename "$header")" >alone.c
    cc "${flags[@]}" -std=c17 -fsyntax-only -I"$prefix/include" alone.c
    c++ "${flags[@]}" -std=c++17 -fsyntax-only -I"$prefix/include" -x c++ alone.c
done
say "every public header compiles alone, as C and as C++"
