"""`producer.py APP load SINGLE BULK | latency N PAUSE_MIN PAUSE_MAX | lasting N SECONDS |
feed RATE SECONDS`, which goes on until there is a file `stop` among the recordings |
`drill FOR RATE SECONDS EVERY LASTING`: of every so many jobs one lasts longer.

Prints one line of JSON. Whoever has a bulk call makes it with 500 jobs at a time.
"""

import glob
import importlib
import json
import os
import random
import resource
import sys
import time

from recording import ARGUMENT, FOLDER


def main():
    app = importlib.import_module(sys.argv[1])
    mode, numbers = sys.argv[2], [float(word) for word in sys.argv[3:]]
    print(json.dumps(MODES[mode](app, *numbers)), flush=True)
    os._exit(0)


def load(app, single, bulk):
    single, bulk = int(single), int(bulk)
    app.send("noop", -1, ARGUMENT)  # connects
    began, cpu = time.time(), _cpu()
    for number in range(single):
        app.send("noop", number, ARGUMENT)
    took, used = time.time() - began, _cpu() - cpu
    said = {"n": 1 + single + bulk}
    if single:
        said |= {"single_per_s": single / took, "single_cpu_us": used / single * 1e6}
    began, cpu = time.time(), _cpu()
    if bulk:
        app.send_many(bulk)
    took, used = time.time() - began, _cpu() - cpu
    if bulk:
        said |= {"bulk_per_s": bulk / took, "bulk_cpu_us": used / bulk * 1e6}
    return said


def latency(app, n, shortest, longest):
    missed = 0
    for _ in range(int(n)):
        before = _recorded()
        app.send("latency", time.time())
        deadline = time.time() + 5
        while _recorded() == before and time.time() < deadline:
            time.sleep(0.002)
        missed += _recorded() == before
        time.sleep(random.uniform(shortest, longest))
    return {"sent": int(n), "missed": missed}


def lasting(app, n, seconds):
    for number in range(int(n)):
        app.send("lasting", number, seconds)
    return {"sent": int(n)}


def feed(app, rate, seconds):
    sent, began = 0, time.time()
    while not os.path.exists(f"{FOLDER}/stop"):
        app.send("brief", sent, seconds)
        sent += 1
        time.sleep(max(0.0, began + sent / rate - time.time()))
    return {"sent": sent}


def drill(app, lasts, rate, seconds, every, lasting):
    """Submit, and write down which jobs were, once the queue has said so."""
    new_id = getattr(app, "new_id", None)
    with open(f"{FOLDER}/submits", "w", buffering=1) as kept:
        began = time.time()
        for number in range(int(lasts * rate)):
            time.sleep(max(0.0, began + number / rate - time.time()))
            job = new_id() if new_id else f"drill-{number:06d}"
            work, takes = ("long", lasting) if number % every == 0 else ("short", seconds)
            sent = time.time()
            app.send("drill", job, takes)
            kept.write(f"{job} {work} {sent:.6f} {time.time():.6f}\n")
    return {"sent": number + 1}


def _recorded():
    return sum(os.path.getsize(name) for name in glob.glob(f"{FOLDER}/lat.*"))


def _cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


MODES = {"load": load, "latency": latency, "lasting": lasting, "feed": feed, "drill": drill}
main()
