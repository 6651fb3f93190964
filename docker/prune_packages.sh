#!/bin/sh
# Remove from an environment what no task uses: headers and sources for compilers, the packages' own tests,
# the pages of MLflow's server, and Arrow's libraries for its network protocol and query plans.
# Usage: prune_packages.sh VENV
set -eu
packages=$(echo "$1"/lib/python3*/site-packages)
rm -rf "$packages/tensorflow/include" "$packages/pyarrow/include" "$packages/pyarrow/tests"
rm -rf "$packages/mlflow/server/js/build"
rm -f "$packages"/pyarrow/libarrow*_flight* "$packages"/pyarrow/libarrow_substrait* \
    "$packages"/pyarrow/_flight*.so "$packages"/pyarrow/_substrait*.so
for name in pandas numpy scipy sklearn matplotlib bed_reader imblearn kfp skops; do
    find "$packages/$name" -type d -name tests -prune -exec rm -rf {} +
done
find "$packages" -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.a' -o -name '*.h' -o -name '*.hpp' \) -delete
