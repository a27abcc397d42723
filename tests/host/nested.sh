#!/bin/sh
# SPDX-License-Identifier: MIT
# nestbed as a guest of nestbed, on a machine with SVM: the inner one's results
# are those of the outer one, and a third boots within the second.
#
#   sh tests/host/nested.sh [BUILD_DIR [TESTS]]
#
# TESTS: a list of patterns (default: svm.*).  A test that passes outside passes
# inside, or is skipped there with a reason; one that fails inside, or
# has no result, is a difference.  Prints "ok N - name" or "not ok N - name".
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
tests=${2:-svm.*}
tool=$build/nestbed
image=$build/nestbed.elf
dir=$build/nested
mkdir -p "$dir" || exit 1
cd "$dir" || exit 1
. "$here/lib.sh"

# boot OUT SECONDS WORDS [OPTION...]: the outer one
boot() {
	to=$1 limit=$2 words=$3
	shift 3
	timeout $((limit + 30)) "$tool" run --quiet --on qemu-svm --cpus 1 --mem 1G \
		--timeout "$limit" --kernel "$image" --append "stats=off $words" --out "$to" "$@" \
		> out 2>&1
}

# results PREFIX < LOG: "id outcome" of each test of that level
results() {
	tr -d '\r' | sed -n "s/^$1@nestbed test \([^ ]*\) \([a-z]*\).*/\1 \2/p" | sort
}

# ended PREFIX < LOG: that level's verdict line
ended() {
	tr -d '\r' | grep "^$1@nestbed end "
}

# refuse_lines FILE: it must be empty; what it has is shown
refuse_lines() {
	cat "$1"
	[ ! -s "$1" ]
}

check "the outer one runs $tests" boot outer 300 "mode=tests tests=$tests"
results '' < outer/serial.log > outer.results

check "the inner one comes to its end" boot inner 560 mode=guests \
	--guest "$image:mem=256M,nested=svm,output=16M,timeout=520 mode=tests tests=$tests"
results 'vm0| ' < inner/serial.log > inner.results
check "and says so" eval "ended 'vm0| ' < inner/serial.log"

# What QEMU's page walk writes, nobody above it mends; all else is mended.
tr -d '\r' < inner/serial.log | grep '^vm0| @nestbed info svm ' > inner.svm
check "it finds the one quirk that is not mended" grep -q ', quirks: pdpte_accessed$' inner.svm

check "the outer one has results" test -s outer.results
cut -d' ' -f1 outer.results > outer.ids
cut -d' ' -f1 inner.results > inner.ids
check "the same tests ran" diff outer.ids inner.ids
# Known inside and passed outside is nestbed's own answer to VMMCALL alone.
join outer.results inner.results > both
awk '$3 == "fail" || $3 == "error" { print }' both > worse
check "none fails inside" refuse_lines worse
awk '$2 == "pass" && $3 == "known" && $1 !~ /^svm\.(vmmcall_in_host|svm_instructions_ud)$/ { print }
	' both > less
check "what passes outside is not excused inside" refuse_lines less

# ---- the third level -------------------------------------------------------

# The second one gives its module to the third.
cp "$image" third.elf
smoke=common.cpuid_exit,common.hypercall,common.hlt_exit,svm.inject_nmi,svm.npf_info
check "a third level comes to its end" boot third 560 mode=guests \
	--guest "$image:mem=512M,nested=svm,modules=third.elf,timeout=520 mode=guests stats=off" \
	--guest "third.elf:mem=128M,nested=svm,timeout=400 mode=tests stats=off tests=$smoke"
check "the third one's verdict" eval "ended 'vm0| vm0| ' < third/serial.log"
results 'vm0| vm0| ' < third/serial.log > third.results
check "it ran 5 tests, and all passed" eval \
	'test "$(grep -c " pass$" third.results)" -eq 5 && test "$(wc -l < third.results)" -eq 5'

# ---- saved and restored all the time ---------------------------------------

check "an inner one that migrates comes to its end" boot moved 560 "mode=guests migrate=1000" \
	--guest "$image:mem=256M,nested=svm,output=16M,timeout=520 mode=tests tests=$tests"
results 'vm0| ' < moved/serial.log > moved.results
check "with the same results" diff inner.results moved.results

echo "1..$n"
[ $failed -eq 0 ]
