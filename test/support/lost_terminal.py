"""Runs a program in a terminal, takes the terminal away once it has said something, and tells how it ended.

    python3 lost_terminal.py WHAT_IT_SAYS PROGRAM [ARGUMENT...]
"""

import fcntl
import os
import pty
import signal
import struct
import sys
import termios

PATIENCE_S = 60


def main(mark: bytes, command: list[str]) -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.alarm(PATIENCE_S)
    said = b""
    while mark not in said:
        said += os.read(terminal, 65536)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return str(os.WEXITSTATUS(status))


print(main(sys.argv[1].encode(), sys.argv[2:]))
