"""Arrays as numpy writes and reads them, for arrays_test.c.

arrays_numpy.py write DIR   every kind of .npy and .npz; beside each array NAME.want, its bytes as they should be read
arrays_numpy.py check DIR   compares what arrays_test.c wrote from the same arrays
"""
import io
import sys

import numpy as np
from numpy.lib import format as npy

command, where = sys.argv[1:]
random = np.random.default_rng(1)
WIDENED = {"i2": "i4", "u2": "i4", "u4": "i8", "u8": "i8"}
KINDS = ["f4", "f8", "f2", "i8", "i4", "i1", "u1", "?", "i2", "u2", "u4", "u8"]
SHAPES = [(), (0,), (5,), (3, 4), (2, 3, 5), (2, 1, 0, 4), (1, 2, 1, 2, 1, 2, 1, 2)]


def values(kind, shape):
    if kind[0] == "f":
        x = random.standard_normal(shape).astype(kind)
        return np.where(random.random(shape) < 0.1, np.array([np.nan, np.inf, -0.0], kind)[0], x).astype(kind)
    if kind == "?":
        return random.random(shape) < 0.5
    info = np.iinfo(kind)
    high = min(int(info.max), 2**63 - 1)
    return random.integers(int(info.min), high, size=shape, endpoint=True, dtype="i8").astype(kind)


def write():
    archive = {}
    for kind in KINDS:
        for number, shape in enumerate(SHAPES):
            array = values(kind, shape)
            name = f"{kind.replace('?', 'b')}_{number}"
            archive[name] = array
            version = [(1, 0), (2, 0), (3, 0)][number % 3]
            kept = array
            if number % 2:
                kept = np.asfortranarray(kept)
            if number % 4 > 1:
                kept = kept.astype(kept.dtype.newbyteorder())
            with open(f"{where}/{name}.npy", "wb") as out:
                npy.write_array(out, kept, version=version)
            with open(f"{where}/{name}.want", "wb") as out:
                out.write(array.astype(WIDENED.get(kind, kind)).tobytes())
    np.savez(f"{where}/stored.npz", **archive)
    np.savez_compressed(f"{where}/packed.npz", **archive)


def check():
    stored, written = np.load(f"{where}/stored.npz"), np.load(f"{where}/written.npz")
    assert sorted(stored.files) == sorted(written.files)
    for name in stored.files:
        kind = str(stored[name].dtype.str)[1:]
        for array in written[name], np.load(f"{where}/written_{name}.npy"):
            assert array.dtype == np.dtype(WIDENED.get(kind, kind)), (name, array.dtype)
            assert array.shape == stored[name].shape, name
            assert np.array_equal(array, stored[name].astype(array.dtype), equal_nan=kind[0] == "f"), name
    many = np.load(f"{where}/many.npz")
    assert len(many.files) == 66000 and int(many["a65999"][0]) == 65999 & 255


{"write": write, "check": check}[command]()
