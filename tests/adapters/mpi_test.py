#!/usr/bin/env python3
"""Sharded norms and statistics under mpirun: the same bits for each number of ranks, and as without MPI.

TENSORTAP_MPI_PROGRAM names the program, whose ranks compare bits among themselves; it is built where MPI is found.
"""
import os
import shutil
import subprocess
import sys
import unittest

PROGRAM = os.environ.get("TENSORTAP_MPI_PROGRAM")
MPIRUN = shutil.which("mpirun")
TIMEOUT = 600  # seconds; it takes some, and a minute where other programs have the cores


def mpirun(ranks, *command):
    """Runs a program of Open MPI in so many processes, on however few cores, as root too."""
    return subprocess.run(
        [MPIRUN, "-np", str(ranks), "--oversubscribe", *command], capture_output=True, text=True, timeout=TIMEOUT,
        env={**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})


class MpiTest(unittest.TestCase):
    def test_bits_do_not_depend_on_the_number_of_ranks(self):
        outputs = set()
        for ranks in (1, 2, 3, 4, 8):
            with self.subTest(ranks=ranks):
                result = mpirun(ranks, PROGRAM)
                self.assertEqual(result.returncode, 0, result.stderr[-4000:])
                self.assertRegex(result.stdout, "^results [0-9a-f]{16}\n$")
                outputs.add(result.stdout)
        self.assertEqual(len(outputs), 1, outputs)


if __name__ == "__main__":
    if not (PROGRAM and MPIRUN):
        print("skipped: TENSORTAP_MPI_PROGRAM is not set, or there is no mpirun (Debian: libopenmpi-dev, openmpi-bin)")
        sys.exit(77)
    unittest.main()
