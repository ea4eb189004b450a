"""Completes words of a command line in a real shell.

usage: completion.py SHELL QATLAS
"""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile

shell, qatlas = sys.argv[1:3]
if not shutil.which(shell):
    print(f"skipped: no {shell}")
    sys.exit(77)

work = tempfile.mkdtemp(prefix="qatlas-completion-")
os.makedirs(f"{work}/folder with blank")
for name in ("runs.csv", "mine.toml", "fit.json"):
    open(f"{work}/{name}", "w").close()
environment = {
    "PATH": os.path.dirname(qatlas) + ":" + os.environ["PATH"],
    "HOME": work,
    "TERM": "dumb",
    "LANG": "C.UTF-8",
}


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, cwd=work, env=environment, timeout=60, **more)


def bash(line):
    """What bash's own machinery puts into COMPREPLY, after it has parted the line into words."""
    script = f"""
source <(qatlas completion bash)
COMP_LINE={quoted(line)} COMP_POINT=${{#COMP_LINE}}
# As readline does it: '=' and ':' are words of their own.
mapfile -t COMP_WORDS < <(grep -oE '[=:]+|[^ =:]+' <<<"$COMP_LINE")
case "$COMP_LINE" in *[[:space:]]) COMP_WORDS+=("");; esac
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_qatlas
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    result = run("bash", "--norc", "-c", script)
    assert not result.stderr, result.stderr
    return [text for text in result.stdout.split("\n") if text]


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def fish(line):
    result = run("fish", "--no-config", "-c", f"qatlas completion fish | source; complete -C {quoted(line)}")
    assert not result.stderr, result.stderr
    return [text.split("\t")[0] for text in result.stdout.split("\n") if text]


def zsh(line):
    """zsh completes in its line editor alone: a shell in a terminal of its own, which lists the candidates."""
    master, slave = pty.openpty()
    setup = """
autoload -Uz compinit && compinit -u -D
source <(qatlas completion zsh)
zstyle ':completion:*' verbose no
zstyle ':completion:*' list-prompt ''
LISTMAX=10000
unsetopt beep menu_complete auto_menu always_last_prompt
setopt auto_list no_list_ambiguous
PS1='ready> '
bindkey '^G' list-choices
"""
    with open(f"{work}/.zshrc", "w") as file:
        file.write(setup)
    size = __import__("struct").pack("HHHH", 1000, 400, 0, 0)
    __import__("fcntl").ioctl(slave, __import__("termios").TIOCSWINSZ, size)
    child = subprocess.Popen(
        ["zsh", "-i"], stdin=slave, stdout=slave, stderr=slave, cwd=work, env=environment, start_new_session=True
    )
    os.close(slave)
    seen = b""

    def until(text):
        nonlocal seen
        while text not in seen:
            ready, _, _ = select.select([master], [], [], 60)
            assert ready, seen
            seen += os.read(master, 65536)

    until(b"ready> ")
    seen = b""
    os.write(master, line.encode() + b"\x07")
    until(b"ready> ")  # drawn again below the list
    # Not by a typed `exit`: a shell that leaves waits until its terminal has taken all that it wrote.
    child.kill()
    child.wait()
    os.close(master)
    text = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", seen).decode()
    text = text.split("ready> ")[0]
    # The line itself comes first.
    text = text[text.find(line) + len(line.rstrip()):] if line in text else text
    return re.findall(r"[^\s]+", text)


complete = {"bash": bash, "fish": fish, "zsh": zsh}[shell]
failures = []


def check(line, wanted, unwanted=()):
    found = complete(line)
    clean = [text.rstrip("/") for text in found]
    for text in wanted:
        if text not in clean:
            failures.append(f"{line!r}: '{text}' is missing from {found}")
    for text in unwanted:
        if text in clean:
            failures.append(f"{line!r}: '{text}' should not be in {found}")


check("qatlas re", ["recipe", "report"], ["fit", "compare"])
check("qatlas recipe ", ["ls", "cp", "show", "validate", "schema"], ["fit"])
check("qatlas recipe s", ["show", "schema"], ["ls"])
check("qatlas compare --bo", ["--bootstraps", "--bounds"], ["--json"])
check("qatlas --js", ["--json"])
# Components, by kind, and recipes, as they are installed.
check("qatlas plugin info chin", ["chinchilla", "chinchilla-tied"], ["kaplan"])
check("qatlas fit runs.csv --law qat-", ["qat-unified", "qat-no-data"], ["chinchilla", "runs.csv"])
check("qatlas recipe show sm", ["smoke"], ["quickstart"])
# Names of files where files are wanted, also beside names of recipes.
check("qatlas recipe show mi", ["mine.toml"])
check("qatlas compare ru", ["runs.csv"])
check("qatlas fit runs.csv --output fi", ["fit.json"])
# Choices.
check("qatlas completion ", ["bash", "zsh", "fish"])
check("qatlas fit runs.csv --likelihood ", ["student-t", "gaussian", "huber"])
# An option's value is no positional; what follows '--' is.
check("qatlas --plugin-path /nowhere recipe sh", ["show"])
for failure in failures:
    print(failure)
shutil.rmtree(work)
sys.exit(1 if failures else 0)
