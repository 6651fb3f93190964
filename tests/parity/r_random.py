"""R's default random streams as a numpy Generator: the oracle of the phenotype tests.

R 3.6 and later: Mersenne Twister, seeded by 50 steps of a linear congruence and 625 more; normals by
inversion of a 53-bit uniform; exponentials by Ahrens and Dieter's algorithm SA (1972); `sample` by
rejection from the next power of two. Written from the descriptions in R's ?Random and in the papers.
"""

import math

import numpy as np
from scipy.special import ndtri

SMALLEST = 2.328306437080797e-10  # 1 / (2**32 - 1)


class RGenerator(np.random.Generator):
    """A numpy Generator that returns what R returns after ``set.seed(seed)``."""

    def __init__(self, seed):
        super().__init__(np.random.MT19937())
        word = seed
        for _ in range(51):  # 50 to scramble, and one whose place the position in the state takes
            word = (69069 * word + 1) % 2**32
        key = []
        for _ in range(624):
            word = (69069 * word + 1) % 2**32
            key.append(word)
        state = {"key": np.array(key, dtype=np.uint32), "pos": 624}
        self.bit_generator.state = {"bit_generator": "MT19937", "state": state}

    def random(self, size=None):
        """``runif(size)``."""
        uniform = self.bit_generator.random_raw(size) * 2.3283064365386963e-10
        return np.clip(uniform, 0.5 * SMALLEST, 1 - 0.5 * SMALLEST)

    def uniform(self, low=0.0, high=1.0, size=None):
        """``runif(size, low, high)``."""
        return low + (high - low) * self.random(size)

    def standard_normal(self, size):
        """``rnorm(size)``."""
        coarse, fine = self.random(2 * size).reshape(size, 2).T
        big = 2.0**27
        return ndtri((np.floor(big * coarse) + fine) / big)

    def standard_exponential(self, size):
        """``rexp(size)``."""
        return np.array([self._draw_exponential() for _ in range(size)])

    def _draw_exponential(self):
        log_two = math.log(2)
        whole, u = 0.0, 2 * self.random()
        while u <= 1:
            whole += log_two
            u *= 2
        u -= 1
        if u <= log_two:
            return whole + u
        smallest = min(self.random(), self.random())
        term = log_two**2 / 2
        reached, order = log_two + term, 2
        while u > reached:
            smallest = min(smallest, self.random())
            order += 1
            term *= log_two / order
            reached += term
        return whole + smallest * log_two

    def binomial(self, n, p, size):
        """``rbinom(size, 1, p)`` for a single trial."""
        assert n == 1
        u = self.random(size)
        return (u >= 1 - p if p <= 0.5 else u < p).astype(np.int64)

    def _draw_below(self, bound):
        bits = math.ceil(math.log2(bound))
        while True:
            value = 0
            for _ in range(0, bits + 1, 16):
                value = 65536 * value + int(self.random() * 65536)
            value &= 2**bits - 1
            if value < bound:
                return value

    def choice(self, a, size, replace=True, p=None):
        """``sample.int(a, size, replace, p) - 1``."""
        if p is not None:
            assert replace
            p = np.asarray(p, dtype=float)
            order = sort_decreasing(p / p.sum())
            reached = np.cumsum((p / p.sum())[order])
            return order[np.minimum(np.searchsorted(reached, self.random(size)), a - 1)]
        if replace:
            return np.array([self._draw_below(a) for _ in range(size)])
        left, drawn = list(range(a)), []
        for _ in range(size):
            at = self._draw_below(len(left))
            drawn.append(left[at])
            left[at] = left[-1]
            left.pop()
        return np.array(drawn)

    def permutation(self, n):
        """``sample.int(n) - 1``."""
        return self.choice(n, n, replace=False)


def sort_decreasing(values):
    """Return the order of a heap sort from the largest; it is not stable, so ties matter."""
    heap = list(enumerate(values))

    def sink(root, end):
        while (child := 2 * root + 1) < end:
            if child + 1 < end and heap[child][1] > heap[child + 1][1]:
                child += 1
            if heap[root][1] <= heap[child][1]:
                return
            heap[root], heap[child] = heap[child], heap[root]
            root = child

    for root in range(len(heap) // 2 - 1, -1, -1):
        sink(root, len(heap))
    for end in range(len(heap) - 1, 0, -1):
        heap[0], heap[end] = heap[end], heap[0]
        sink(0, end)
    return np.array([index for index, _ in heap])
