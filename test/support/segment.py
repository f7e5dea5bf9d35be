"""kvcached's segment protocol from Python's standard library alone, independent of kvctl's code.

One access = open read-write, flock the file itself, map 24 bytes, read or write three little-endian int64, unmap, unlock,
close. Commands: write NAME LIMIT USED PREALLOC · read NAME · add NAME COUNT (used += 1, COUNT times) ·
hammer NAME (used = -prealloc = n, field by field, until stdin closes) · watch NAME (a shared lock every 100 ms, as an
engine's limit watcher, until stdin closes) · limit NAME BYTES (bytes 0 to 7 and no others) · verify NAME PID (what an
engine's segment is, and how that engine uses it, as JSON) · obey NAME (gives memory back down to the limit, until stdin closes) ·
hold NAME (the exclusive lock until stdin closes) ·
engine FOLDER [quiet] (a whole engine: chooses its name as kvcached does, makes the segment, looks at the limit every 100 ms
unless quiet, as without preallocation; removes it when stdin closes, and leaves it behind on SIGTERM)
"""
import contextlib, fcntl, json, mmap, os, re, select, stat, struct, sys, time

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


def limit(path, size):
    with access(path, fcntl.LOCK_EX) as memory:
        memory[0:8] = struct.pack("<q", int(size))


def verify(path, pid):
    status = os.lstat(path)
    umask = os.umask(0)
    held = 0
    for _ in range(50):
        links = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        with open(f"/proc/{pid}/maps") as maps:
            held += path in links or path in maps.read()
        time.sleep(0.005)
    waiting = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    queue = []
    while not queue:
        with access(path, fcntl.LOCK_EX):
            time.sleep(0.15)
            with open("/proc/locks") as locks:
                queue = [line.split() for line in locks if waiting in line and "->" in line]
    with access(path, fcntl.LOCK_SH) as memory, open(path, "rb") as file:
        is_coherent = memory[:] == file.read()
    say(json.dumps({
        "is_regular": stat.S_ISREG(status.st_mode),
        "bytes": status.st_size,
        "is_mode_usual": stat.S_IMODE(status.st_mode) == 0o666 & ~umask,
        "is_mostly_closed": held < 25,
        "waits": [[words[2], words[3], words[4], int(words[5])] for words in queue][0],
        "is_coherent": is_coherent,
    }))


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
    {"write": write, "read": read, "limit": limit, "verify": verify, "add": add, "hammer": hammer, "watch": watch, "engine": engine, "obey": obey, "hold": hold}[command](name, *rest)
