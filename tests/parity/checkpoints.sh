#!/bin/sh
# Runs checkpoints.py with the first Python that has numpy, on the trained models in $PTM_DATA/checkpoints.
# usage: PTM_DATA=DIR checkpoints.sh PTM MODELS       Exit status 77: there are none.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
script=$(dirname "$0")/checkpoints.py
[ -d "${PTM_DATA:-}/checkpoints" ] || {
    echo "skipped: no \$PTM_DATA/checkpoints"
    exit 77
}
for python in python3 /usr/bin/python3; do
    "$python" -c 'import numpy' 2>/dev/null && exec "$python" "$script" "$1" "$2" "$PTM_DATA"
done
echo "skipped: python3 has no numpy (Debian: python3-numpy)"
exit 77
