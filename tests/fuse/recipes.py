#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""recipes.py DOCUMENT DIRECTORY NUMBER: run one console block of a document in a directory, and
compare. Without NUMBER: how many there are."""
import os
import re
import signal
import subprocess
import sys

MARK = '\x01'  # between the outputs of two commands
TIMEOUT_S = 60


def blocks(text):
    return re.findall(r'^```console\n(.*?)^```$', text, re.M | re.S)


def steps(block):
    """(command, expected output) of each prompt."""
    found = []
    for line in block.splitlines(keepends=True):
        if line.startswith('$ '):
            found.append([line[2:], ''])
        elif line.startswith('> ') and not found[-1][1]:
            found[-1][0] += line[2:]
        else:
            found[-1][1] += line
    return found


def matches(expected, got):
    pattern = '.*'.join(re.escape(part) for part in expected.split('...'))
    # The last line of a command may lack its newline, which a document cannot show.
    return re.fullmatch(pattern, got) or re.fullmatch(pattern, got + '\n')


def run(script, directory):
    """What bash says. Nothing of it may keep the mount busy afterwards."""
    with subprocess.Popen(['bash', '-c', script], cwd=directory, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                          start_new_session=True) as shell:
        try:
            output = shell.communicate(timeout=TIMEOUT_S)[0]
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            output = shell.communicate()[0] + f'(did not end within {TIMEOUT_S} s)\n'
    try:
        os.killpg(shell.pid, signal.SIGKILL)  # what runs on in the background
    except ProcessLookupError:
        pass
    return output


def main():
    found = blocks(open(sys.argv[1], encoding='utf-8').read())
    if len(sys.argv) < 4:
        print(len(found))
        return
    todo = steps(found[int(sys.argv[3])])
    script = ''.join(f'{command}printf "{MARK}"\n' for command, _ in todo)
    output = run(script, sys.argv[2])
    outputs = output.split(MARK)
    failed = False
    for (command, expected), got in zip(todo, outputs + [''] * len(todo)):
        if not matches(expected, got):
            print(f'$ {command}expected:\n{expected}got:\n{got}')
            failed = True
    sys.exit(failed)


main()
