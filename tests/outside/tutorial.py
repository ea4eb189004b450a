#!/usr/bin/env python3
"""Follows a tutorial word for word: runs its commands, writes its files, compares what is printed.

usage: tutorial.py TUTORIAL.md WORK [EXAMPLE]

In order of the page, starting in the empty folder WORK:
  ```sh                  runs under bash, stopping at the first command that fails; `cd` holds for what follows
  ```cpp title="a.cc"    any block with a title: writes the file
  ```text                must be what the block of commands before it printed; "..." stands for anything
EXAMPLE is a folder of sdk/examples: files of the same name must be the same there, so that the page and the example
are one.
"""
import os
import pathlib
import re
import subprocess
import sys


def blocks(text):
    """(line, language, title, body) of every fenced block."""
    for match in re.finditer(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', text, re.M | re.S):
        yield text.count('\n', 0, match.start()) + 1, match[1], match[2], match[3]


def run(body, folder):
    """Output and the folder in which the commands ended."""
    script = f'set -eo pipefail\n{body}\npwd >&3\n'
    read, write = os.pipe()
    done = subprocess.run(['bash', '-c', f'exec 3>&{write}\n{script}'], cwd=folder, pass_fds=[write], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.close(write)
    with os.fdopen(read) as end:
        where = end.read().strip()
    return done.returncode, done.stdout, pathlib.Path(where) if where else folder


def matches(expected, printed):
    pattern = '.*'.join(re.escape(part) for part in expected.strip().split('...'))
    return re.fullmatch(pattern, printed.strip(), re.S)


def main(page, work, example=None):
    folder, printed, commands, files, compared = pathlib.Path(work), '', 0, 0, 0
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        sys.exit(f'{folder} is not empty')
    for line, language, title, body in blocks(pathlib.Path(page).read_text()):
        place = f'{page}:{line}'
        if title:
            # A file is one that the page had made, or it says so by creating its folder first.
            (folder / title).write_text(body)
            files += 1
            original = pathlib.Path(example) / title if example else None
            if original is not None and original.exists() and original.read_text() != body:
                sys.exit(f'{place}: {title} differs from {original}')
        elif language == 'sh':
            code, printed, folder = run(body, folder)
            commands += 1
            print(f'--- {place}\n{body}{printed}', flush=True)
            if code != 0:
                sys.exit(f'{place}: exit code {code}')
        elif language == 'text':
            compared += 1
            if not matches(body, printed):
                sys.exit(f'{place}: printed was\n{printed}')
    if not commands or not compared:
        sys.exit(f'{page}: {commands} blocks of commands, {compared} of output: is this a tutorial?')
    print(f'{page}: {commands} blocks of commands, {files} files, {compared} outputs')


if __name__ == '__main__':
    main(*sys.argv[1:])
