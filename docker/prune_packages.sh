#!/bin/sh
# Remove from an environment what no task uses: headers and sources for compilers, the packages' own tests,
# the pages of MLflow's server, and Arrow's library for its network protocol.
# Usage: prune_packages.sh VENV
set -eu
packages=$(echo "$1"/lib/python3*/site-packages)
rm -rf "$packages/tensorflow/include" "$packages/pyarrow/include" "$packages/pyarrow/tests"
rm -rf "$packages/mlflow/server/js/build"
rm -f "$packages"/pyarrow/libarrow*_flight* "$packages"/pyarrow/_flight*.so
for name in pandas numpy scipy sklearn matplotlib bed_reader imblearn kfp skops; do
    find "$packages/$name" -type d -name tests -prune -exec rm -rf {} +
done
find "$packages" -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.a' -o -name '*.h' -o -name '*.hpp' \) -delete
# What is left must still work.
"$1/bin/python" -c 'import imblearn, matplotlib.pyplot, mlflow, pandas, pyarrow.dataset, pyarrow.parquet, scipy.stats, skops.io'
