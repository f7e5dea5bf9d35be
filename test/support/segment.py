"""kvcached's segment protocol from Python's standard library alone, independent of kvctl's code.

One access = open read-write, flock the file itself, map 24 bytes, read or write three little-endian int64, unmap, unlock,
close. Commands: write NAME LIMIT USED PREALLOC · read NAME · add NAME COUNT (used += 1, COUNT times) ·
hammer NAME (used = -prealloc = n, field by field, until stdin closes) · watch NAME (a shared lock every 100 ms, as an
engine's limit watcher, until stdin closes) · obey NAME (gives memory back down to the limit, until stdin closes) ·
hold NAME (the exclusive lock until stdin closes) ·
engine FOLDER [quiet] (a whole engine: chooses its name as kvcached does, makes the segment, looks at the limit every 100 ms
unless quiet, as without preallocation; removes it when stdin closes, and leaves it behind on SIGTERM)
"""
import contextlib, fcntl, mmap, os, re, select, struct, sys, time

LAYOUT = struct.Struct("<qqq")


@contextlib.contextmanager
def access(path, lock):
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, lock)
        with mmap.mmap(fd, LAYOUT.size) as memory:
            yield memory
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


def is_stdin_closed():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def say(*words):
    print(*words, flush=True)


def write(path, limit, used, prealloc):
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))
    os.truncate(path, LAYOUT.size)
    with access(path, fcntl.LOCK_EX) as memory:
        memory[:] = LAYOUT.pack(int(limit), int(used), int(prealloc))


def read(path):
    with access(path, fcntl.LOCK_SH) as memory:
        say(*LAYOUT.unpack(memory[:]))


def add(path, count):
    for _ in range(int(count)):
        with access(path, fcntl.LOCK_EX) as memory:
            limit, used, prealloc = LAYOUT.unpack(memory[:])
            memory[:] = LAYOUT.pack(limit, used + 1, prealloc)


def hammer(path):
    n = 0
    say("ready")
    while not is_stdin_closed():
        for _ in range(100):
            n += 1
            with access(path, fcntl.LOCK_EX) as memory:
                memory[8:16] = struct.pack("<q", n)
                memory[16:24] = struct.pack("<q", -n)
    say(n)


def watch(path):
    say("ready")
    while not is_stdin_closed():
        with access(path, fcntl.LOCK_SH) as memory:
            LAYOUT.unpack(memory[:])
        time.sleep(0.1)


def engine(folder, mode="polls"):
    name = os.environ.get("KVCACHED_IPC_NAME")
    name = re.sub(r"[^\w-]", "-", name)[:64] if name else f"kvcached_vLLM_{os.getpgid(0)}"
    path = os.path.join(folder, name)
    write(path, 8 << 30, 6 << 30, 0)
    say(name)
    if mode == "polls":
        while not is_stdin_closed():
            with access(path, fcntl.LOCK_SH) as memory:
                LAYOUT.unpack(memory[:])
            time.sleep(0.1)
    sys.stdin.read()
    os.unlink(path)


def obey(path):
    say("ready")
    while not is_stdin_closed():
        with access(path, fcntl.LOCK_EX) as memory:
            limit, used, prealloc = LAYOUT.unpack(memory[:])
            memory[8:24] = LAYOUT.pack(limit, min(used, limit), min(prealloc, limit - min(used, limit)))[8:24]
        time.sleep(0.05)


def hold(path):
    with access(path, fcntl.LOCK_EX):
        say("held")
        sys.stdin.read()


if __name__ == "__main__":
    command, name, *rest = sys.argv[1:]
    {"write": write, "read": read, "add": add, "hammer": hammer, "watch": watch, "engine": engine, "obey": obey, "hold": hold}[command](name, *rest)
