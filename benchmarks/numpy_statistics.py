#!/usr/bin/env python3
"""Measures the statistics of reduce_benchmark in numpy: prints lines "NAME NANOSECONDS ERROR" for its --also."""
import time

import numpy

ROUNDS = 5


def statistics(x):
    """Computes all statistics; returns l2, l1, sum and variance."""
    magnitudes = numpy.abs(x)
    x.min(), x.max(), x.mean(), x.std()
    magnitudes.min(), magnitudes.max(), magnitudes.mean(), magnitudes.std(), magnitudes.var()
    numpy.count_nonzero(numpy.isnan(x)), numpy.count_nonzero(numpy.isinf(x)), numpy.count_nonzero(x == 0)
    return numpy.linalg.norm(x), magnitudes.sum(), x.sum(), x.var()


def error(x):
    """Returns the largest relative error; that of a sum is relative to the sum of magnitudes."""
    exact = x.astype(numpy.longdouble)
    truth = numpy.sqrt((exact * exact).sum()), abs(exact).sum(), exact.sum(), exact.var()
    scales = truth[0], truth[1], truth[1], truth[3]
    return float(max(abs((value - right) / scale) for value, right, scale in zip(statistics(x), truth, scales)))


def nanoseconds(f, x):
    """Returns the median processor time of a call."""
    start = time.thread_time_ns()
    f(x)
    calls = 1 + 1_000_000 // max(time.thread_time_ns() - start, 1)
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time_ns()
        for _ in range(calls):
            f(x)
        times.append((time.thread_time_ns() - start) / calls)
    return sorted(times)[ROUNDS // 2]


normals = numpy.random.default_rng(4).standard_normal(1 << 26, dtype=numpy.float32)
accuracy = error(normals[: 1 << 24])
for power in range(12, 27, 2):
    print(f"statistics/f32/numpy/{1 << power} {nanoseconds(statistics, normals[:1 << power]):.0f} {accuracy:.1e}")
