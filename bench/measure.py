"""measure.py OUT.json COMMAND ARGS...: runs a command; writes its wall and CPU seconds and its peak memory.

Both sides are measured by this one program: whole process, start-up included, and the largest process of the tree.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

start = time.perf_counter()
status = subprocess.run(sys.argv[2:]).returncode
wall = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
Path(sys.argv[1]).write_text(
    json.dumps({"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_rss_mb": usage.ru_maxrss / 1024})
)
sys.exit(status)
