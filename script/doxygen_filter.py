#!/usr/bin/env python3
"""Shows Doxygen the comments of a header as documentation.

The headers say what a name is in ordinary comments: above it, or behind it on its line. A comment above a run of
functions without a blank line between them is about all of them. Comments within functions stay comments.
usage: doxygen_filter.py HEADER
"""
import re
import sys

ALONE = re.compile(r"^(\s*)//(?!/)\s?(.*)$")
BEHIND = re.compile(r"^(\s*(?![\s/#}])[^\"]*?(?:\"[^\"]*\"[^\"]*?)*[;,{})\w\]])\s+//(?!/)\s?(.*)$")
ACCESS = r"\s*(public|private|protected):"
TYPE = re.compile(r"\s*(class|struct|enum|union)\b")
SEVERAL = re.compile(r"(\s*(?:const )?[\w:]+(?:<.*>)?)\s+(\w+(?: = [^,;{]+)?(?:, \w+(?: = [^,;{]+)?)+);\s*$")
FILLED = re.compile(r"=\s*(default|delete)\s*;|^\s*(virtual\s+)?~\w+\(")
SCOPE = re.compile(r"\b(namespace|class|struct|enum|union|extern)\b")


def escaped(text):
    """Text with everything that Doxygen would take for a command made literal, but what stands in backquotes."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one that goes on in the next line
        parts = ["'".join(parts)]
    parts = [re.sub(r"([\\@<>#&%*]|\b_|_\b|(?<=\W)_)", r"\\\1", part) for part in parts]
    # Doxygen would end a span at an apostrophe, and the brief description at any point within it.
    return "".join(f"<tt>{part.replace('.', '&#46;')}</tt>" if i % 2 else part for i, part in enumerate(parts))


def scopes(line, stack, statement):
    """Follows braces; the stack says of each whether it holds declarations. Returns the statement begun."""
    code = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'', '""', re.sub(r"//.*", "", line))
    if code.lstrip().startswith("#"):
        return statement
    for c in code:
        if c == "{":
            head = statement.split(")")[-1] if "(" in statement else statement
            # A function's parameters may say "struct"; a class has none before its brace.
            declares = bool(SCOPE.search(head)) and ("(" not in statement or "operator" in statement)
            stack.append(declares)
            statement = ""
        elif c == "}":
            if stack:
                stack.pop()
            statement = ""
        elif c == ";":
            statement = ""
        else:
            statement += c
    return statement + " "


def main():
    lines = open(sys.argv[1], encoding="utf-8").read().split("\n")
    out = []
    if sys.argv[1].endswith(".md"):
        sys.stdout.write("\n".join(lines))
        return
    stack, statement = [], ""
    block, about = [], []  # the comment just read, and the one that functions share
    owner = []  # the one of the class, which tells what constructors take
    head = True  # the comment at the top is about the file
    column = None  # where a comment behind a line began
    i = 0
    while i < len(lines):
        line = lines[i]
        if i > 0 and lines[i - 1].endswith("\\"):  # what a macro stands for declares nothing
            out.append(line)
            i += 1
            continue
        within = all(stack)
        if within and re.match(r"struct std::", lines[min(i + 1, len(lines) - 1)]):
            # Specializations of the standard library's.
            while not lines[i].rstrip().endswith("};"):
                i += 1
            i += 1
            continue
        alone = ALONE.match(line)
        if alone and within:
            indent = len(alone.group(1))
            if column is not None and indent >= column - 1:
                out.append(f"{alone.group(1)}///< {escaped(alone.group(2))}")
            else:
                column = None
                block.append((alone.group(1), alone.group(2)))
            i += 1
            continue
        if head and not alone:
            if block:
                out += ["/// \\file"] + [f"/// {escaped(t)}" for _, t in block]
                block = []
            head = False
        blank = not line.strip()
        # The start of a declaration?
        begins = within and not blank and not statement.strip() and not re.match(r"\s*(#(?!define)|})|" + ACCESS, line)
        if begins:
            if block:
                about = block
            # A template's own line comes before that of its function.
            names = lines[i + 1] if re.match(r"\s*template\b", line) and i + 1 < len(lines) else line
            shared = about and "(" in names and not re.match(r"\s*(class|struct|enum|namespace|using)\b", names)
            if re.match(r"\s*(namespace|extern)\b", line):
                about = []
            elif block or shared:
                out += [f"{s}/// {escaped(t)}" for s, t in about]
            elif re.match(r"\s*explicit\b", names):
                out += [f"{s}/// {escaped(t)}" for s, t in owner]
            if TYPE.match(names):
                owner, about = about, []
            if not block and re.match(r"#define \w+_\(", line):
                out.append("/// For the macros of this file.")
            # What the language fills in needs no words.
            if FILLED.search(line):
                line = ""
        elif block:
            out += [f"{s}// {t}" for s, t in block]
        before = list(stack)
        had, block = bool(block), []
        macro = re.match(r"(#define\s.*\S)\s+//\s?(.*)$", line)
        if macro:
            out.append(f"/// {escaped(macro.group(2))}")
            line = macro.group(1)
        several = SEVERAL.match(line.split("//")[0]) if begins and "(" not in line.split("//")[0] else None
        if several:
            # One comment is about all the names of the line: a declaration for each.
            said = [f"/// {escaped(t)}" for _, t in about] if had else []
            if line.count("//"):
                said.append(f"/// {escaped(line.split('//', 1)[1].strip())}")
            del out[len(out) - (len(about) if had else 0):]
            for name in several.group(2).split(", "):
                out += said + [f"{several.group(1)} {name};"]
            column = line.index("//") if "//" in line else None
            i += 1
            continue
        behind = BEHIND.match(line)
        opens = begins and behind and (behind.group(1)[-1] in "{,(" or re.match(r"\s*enum\b", line))
        if opens and not re.match(r"\s*(namespace|extern)\b", line):
            # About the class or enumeration that begins here.
            out.insert(len(out), f"/// {escaped(behind.group(2))}")
            line, behind = behind.group(1), None
        if behind and within and not re.match(r"\s*(//|#)", line):
            column = line.index("//", len(behind.group(1)))
            out.append(f"{behind.group(1)}  ///< {escaped(behind.group(2))}")
        else:
            column = None
            out.append(line)
        statement = scopes(line, stack, statement)
        if re.match(ACCESS, line):
            statement = ""
        # A run of declarations ends at a blank line, and with the class.
        if (blank and within) or (len(stack) < len(before) and all(before)):
            about = []
        i += 1
    sys.stdout.write("\n".join(out))


main()
