from collections.abc import Callable

def quad(
    func: Callable[[float], float], a: float, b: float, *, points: list[float] | None = None
) -> tuple[float, float]: ...
