# Only what the tests ask it as an oracle.
class _Binomial:
    def logcdf(self, k: int, n: int, p: float) -> float: ...
    def pmf(self, k: int, n: int, p: float) -> float: ...

class _Beta:
    def ppf(self, q: float, a: float, b: float) -> float: ...

binom: _Binomial
beta: _Beta
