"""What was measured, as a page for people: benches/RESULTS.md."""
import os
import subprocess
import time

from bars import verdicts
from paths import ROOT
from processes import find

BY_HAND = "## What was tried"
NOTHING_YET = f"""{BY_HAND}

Written by hand; a new run keeps it.
"""


def write(name, text):
    """Writes the page, and keeps of the old one what a person wrote."""
    try:
        with open(name) as f:
            old = f.read()
    except FileNotFoundError:
        old = NOTHING_YET
    by_hand = old[old.index(BY_HAND):] if BY_HAND in old else NOTHING_YET
    with open(name, "w") as f:
        f.write(text + "\n" + by_hand)


def page(rows, paths, figures, form):
    names = [path.name for path in paths]
    of = "redwall" if "redwall" in names else "redwall-own"
    parts = ["# Redwall beside Redis's own TLS and other proxies", circumstances(form), bars(rows, figures, of)]
    parts += [section(row, names, figures) for row in rows]
    return "\n\n".join(parts) + "\n"


# ---------------------------------------------------------------- under which circumstances

def circumstances(form):
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), os.uname().machine)
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) / (1 << 20)
    lines = [
        f"{time.strftime('%Y-%m-%d %H:%M')}, {form}",
        f"Machine: {model}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, Linux {os.uname().release}; all on loopback.",
        "; ".join(versions()) + ".",
        "TLS 1.3 with client certificates (ECDSA P-256) everywhere but in `redis`, which is plaintext; Redwall's user has a key pattern.",
        "`redwall`: shared lanes; `redwall-own`: `lanes = \"own\"`; `redwall-large`: 10,000 users and 100,000 networks more; `redwall-unix`: over a Unix socket. Medians over the "
        "rounds, which go through all paths in turns, with [least-most]; **!** marks where some other process took more than 15 % of a core. All of it runs at "
        "niceness -10 where that is allowed.",
    ]
    return "\n\n".join(lines)


def versions():
    commands = (["redis-server", "--version"], ["stunnel4", "-version"], ["haproxy", "-v"], ["nginx", "-v"],
                ["openssl", "version"], ["rustc", "--version"], ["git", "-C", ROOT, "describe", "--always", "--dirty"])
    for name, *options in commands:
        if not find(name):
            continue
        done = subprocess.run([find(name), *options], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        line = next((line for line in (done.stdout + done.stderr).splitlines() if any(c.isdigit() for c in line)), "")
        yield ("Redwall " if name == "git" else "") + " ".join(line.split()[:4]).removeprefix("[ ] ")


# ---------------------------------------------------------------- the bars

def bars(rows, figures, of):
    titles = {row.name: row.title for row in rows}
    headings = {row.name: {key: heading for key, heading, _ in row.columns} for row in rows}
    lines = []
    for verdict in verdicts(figures, of):
        peer = f" ({verdict.peer})" if verdict.peer and verdict.peer != verdict.bar.peer else ""
        words = verdict.bar.text(headings[verdict.bar.row]) + peer
        lines.append([titles[verdict.bar.row], words, measured(verdict), verdict.text()])
    head = ["work", "bar", "measured", "verdict"]
    return f"## The bars\n\n{table(head, lines)}" + floor(figures, of)


def measured(verdict):
    if verdict.value is None:
        return "-"
    against = f", against {verdict.limit:.3g}" if verdict.bar.limit is None else ""
    return f"{verdict.value:.3g} [{verdict.low:.3g}-{verdict.high:.3g}]{against}"


def floor(figures, of):
    """How near the first row came to what is possible on paper."""
    own, theirs = (figures.median("c50", path, "total") for path in (of, "redis-tls"))
    if not own or not theirs:
        return ""
    return (f"\n\nThe floor on paper for the first row is about 0.79 x redis-tls (one receive and one send per operation, TLS, Redis behind "
            f"deep batches): here {own / theirs:.2f} x.")


# ---------------------------------------------------------------- the rows

def section(row, names, figures):
    lines = []
    for name in names:
        runs = figures.results.get(row.name, {}).get(name)
        if runs:
            lines.append(line(row, name, runs, figures))
    heads = ["path"] + [heading for _, heading, _ in row.columns]
    return f"### {row.title}\n\n" + (f"{row.note}\n\n" if row.note else "") + table(heads, lines)


def line(row, name, runs, figures):
    good = figures.runs(row.name, name)
    if not good:
        return [name, "failed: " + runs[-1]["error"]] + [""] * (len(row.columns) - 1)
    noisy = " **!**" if figures.noisy(row.name, name) else ""
    return [name + noisy] + [cell(figures.all(row.name, name, key), figures.median(row.name, name, key), digits)
                             for key, _, digits in row.columns]


def cell(values, median, digits):
    if median is None:
        return "-"
    spread = f" [{min(values):.{digits}f}-{max(values):.{digits}f}]" if len(values) > 1 else ""
    return f"{median:.{digits}f}{spread}"


def table(head, lines):
    lines = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    widths = [max(len(line[i]) for line in [head] + lines) for i in range(len(head))]
    rule = ["-" * width for width in widths]
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
                     for line in [head, rule] + lines)
