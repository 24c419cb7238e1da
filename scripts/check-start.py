"""Does `npm start` do what the README promises? Run by CI in a built or fresh clone, as an ordinary user.

At a terminal of its own: starts it, calls http://127.0.0.1:PORT/ from outside the container, looks for the caller in what the
server prints, presses Ctrl-C and expects a clean end with nothing left. Exit status 0: it does.
"""
import os
import pty
import select
import signal
import sys
import time
import urllib.request

START_SECONDS = 20 * 60  # a first build of the native parts is in it
END_SECONDS = 15
PORT = os.environ.get("PORT", "8080")
CTRL_C = b"\x03"

pid, terminal = pty.fork()
if pid == 0:
    os.execvp("npm", ["npm", "start"])

seen = ""


def read(seconds):
    """Takes in what was printed; False at the end."""
    global seen
    if not select.select([terminal], [], [], seconds)[0]:
        return True
    try:
        data = os.read(terminal, 65536)
    except OSError:
        return False
    sys.stdout.write(data.decode(errors="replace"))
    sys.stdout.flush()
    seen += data.decode(errors="replace")
    return bool(data)


def fail(message):
    print(f"\ncheck-start: {message}", file=sys.stderr)
    os.kill(pid, 9)
    sys.exit(1)


def wait_for(text, seconds):
    deadline = time.monotonic() + seconds
    while text not in seen:
        if not read(0.2):
            fail(f"it ended without printing {text!r}")
        if time.monotonic() > deadline:
            fail(f"it did not print {text!r} within {seconds} s")


wait_for(f"http://127.0.0.1:{PORT}/", START_SECONDS)
wait_for("listens on", 30)
with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{PORT}/", timeout=10) as reply:
    body = reply.read().decode()
if not body.startswith("Hello "):
    fail(f"the server said {body!r}")
wait_for("GET / from", 10)

os.write(terminal, CTRL_C)
deadline = time.monotonic() + END_SECONDS
while read(0.2):
    if time.monotonic() > deadline:
        fail(f"it did not end within {END_SECONDS} s of Ctrl-C")
_, status = os.waitpid(pid, 0)
# npm hears the Ctrl-C as well and, by its version, ends of it too.
if os.waitstatus_to_exitcode(status) not in (0, 130, -signal.SIGINT):
    print(f"\ncheck-start: it ended with status {os.waitstatus_to_exitcode(status)}", file=sys.stderr)
    sys.exit(1)
if "good-bye" not in seen:
    print("\ncheck-start: the server was not told to end", file=sys.stderr)
    sys.exit(1)
print("\ncheck-start: ok")
