# Sourced by the scripts beside it, from the root of the tree: the programs that times are compared with, and their set-ups.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
python=${PYTHON:-python3}
"$python" -c 'import torch' 2>/dev/null || python=/usr/bin/python3       # the system's, where Debian's package is
peers=${PEERS:-build/peers}                                              # where npm puts its packages
onnx_version=1.30.0
openmp=$(ls /usr/lib/*/openblas-openmp/libopenblas.so.0 2>/dev/null | head -1 || true)
under=${UNDER:-}                         # a command that runs what is measured, such as "taskset -c 0,1"

# The set-ups of PyTorch, all or those that $SETUPS names: as it is; with its widest kernels and waiting threads that sleep, on OpenBLAS's own threads or on OpenMP's; one thread.
torch_setups=
if "$python" -c 'import torch' 2>/dev/null; then
    torch_setups="plain avx512 one"
    [ -z "$openmp" ] || torch_setups="$torch_setups openmp"
    torch_setups=${SETUPS-$torch_setups}
fi
torch_in() { # SETUP SCRIPT ARGS ..
    setup=$1
    shift
    case $setup in
    plain) $under "$python" "$@" --threads 2 ;;
    avx512) $under env ATEN_CPU_CAPABILITY=avx512 OMP_WAIT_POLICY=PASSIVE "$python" "$@" --threads 2 ;;
    openmp) $under env ATEN_CPU_CAPABILITY=avx512 OMP_WAIT_POLICY=PASSIVE LD_PRELOAD="$openmp" "$python" "$@" --threads 2 ;;
    one) $under env ATEN_CPU_CAPABILITY=avx512 OPENBLAS_NUM_THREADS=1 "$python" "$@" --threads 1 ;;
    esac
}

onnx_setups=
if node -e 1 2>/dev/null && [ -d "$peers/node_modules/onnxruntime-node" ]; then onnx_setups=onnx; fi

# Debian's PyTorch and both builds of OpenBLAS; ONNX Runtime, without what its package would fetch for graphics cards.
install_peers() {
    root=
    [ "$(id -u)" = 0 ] || root=sudo
    $root apt-get install -y --no-install-recommends python3-torch python3-numpy libopenblas0-openmp nodejs npm
    mkdir -p "$peers"
    npm install --prefix "$peers" --ignore-scripts --no-audit --no-fund "onnxruntime-node@$onnx_version"
}

median() { sort -n | awk '{ x[NR] = $1 } END { if (NR) print x[int((NR + 1) / 2)] }'; }          # of standard input's first column
