#!/bin/sh
# Runs gpt_torch.py with the first Python that has torch. usage: gpt_torch.sh PTM MODEL      Exit status 77: there is none.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
script=$(dirname "$0")/gpt_torch.py
for python in python3 /usr/bin/python3; do
    "$python" -c 'import torch' 2>/dev/null && exec "$python" "$script" "$@"
done
echo "skipped: python3 has no torch (Debian: python3-torch)"
exit 77
