"""Write LD matrices as the HDF5 files PRS-CSx reads; runs in its environment, which has h5py.

Command: ``python peer_ldblk.py matrices.npz ldblk_1kg_chr21.hdf5``, where the archive holds
``ld_1``, ``names_1``, ``ld_2``, ... in the order of the chromosome.
"""

import sys

import h5py
import numpy as np

_, archive, target = sys.argv
with np.load(archive) as held, h5py.File(target, "w") as file:
    for number in range(1, len(held.files) // 2 + 1):
        group = file.create_group(f"blk_{number}")
        group.create_dataset("ldblk", data=held[f"ld_{number}"])
        group.create_dataset("snplist", data=held[f"names_{number}"].astype("S"))
