#!/usr/bin/env bash
# Install the programs the parity tests compare with, where they are absent: PLINK 1.9, PLINK 2,
# bcftools, vcftools, bedtools and bgzip.
set -euo pipefail
absent=0
for program in plink1.9 plink2 bcftools vcftools bedtools bgzip; do
    command -v "$program" >/dev/null || absent=1
done
[ "$absent" = 0 ] && exit 0
if ! command -v apt-get >/dev/null; then
    echo "The tests compare with PLINK and bcftools: put plink1.9, plink2, bcftools, vcftools, bedtools and bgzip on the PATH." >&2
    exit 1
fi
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq plink1.9 plink2 bcftools vcftools bedtools tabix >/dev/null
