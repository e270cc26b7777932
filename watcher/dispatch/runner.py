"""`python -I -S .../watcher/dispatch/runner.py CLAIMS_DIR ID`: run the command of that claim, once for ever.

Knows only where the package lies. A script is compiled anew at each start and its imports are not, so all else stands
in once.py: that saves 3 ms of 20 until the command runs.
"""

import os
import sys

if __name__ == "__main__":
    # -I and -S leave no path to the package. At the end of the list, nothing that lies beside the package can stand in
    # for a module of the standard library.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))  # noqa: PTH100, PTH120 - pathlib costs 6 ms

    from watcher.dispatch.once import main

    sys.exit(main(sys.argv[1:]))
