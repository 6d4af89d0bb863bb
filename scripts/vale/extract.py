"""Extracts prose that Vale does not find: comments in SQL, shell and Python, messages in Go code, and names of tests.

    extract.py DIRECTORY FILE... writes DIRECTORY/FILE.txt for each FILE, with each text on its line of the file.
"""

import ast
import re
import sys
from pathlib import Path

# Comments that are instructions for programs.
DIRECTIVE = re.compile(r"(\+goose|name:|!|shellcheck|type:|noqa)")
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
TEST = re.compile(r"^func (?:Test|Fuzz|Benchmark)(\w+)\(")
# Words of a name: TestHTTPErrorsAreLogged has HTTP, Errors, Are, Logged.
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|\d+")
STATEMENT = re.compile(r"(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WITH|SET|GET|POST|PATCH)\b")
MESSAGE_WORDS = 3  # a string with fewer words is rarely prose


def comments(text, mark):
    """Comments to the end of a line."""
    for number, line in enumerate(text.splitlines()):
        found = re.search(rf"(?:^|\s){mark}+\s?(.*)$", line)
        if found and not DIRECTIVE.match(found.group(1)):
            yield number, found.group(1)


def docstrings(text):
    """Docstrings of a Python program."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            for offset, line in enumerate(ast.get_docstring(node, clean=False).splitlines()):
                yield node.body[0].lineno - 1 + offset, line


def go(text):
    """Messages, which are strings of several words, and names of tests as sentences."""
    for number, line in enumerate(text.splitlines()):
        name = TEST.match(line)
        if name:
            yield number, " ".join(WORD.findall(name.group(1))).lower()
        elif not line.lstrip().startswith("//"):
            for string in STRING.findall(line):
                if len(string.split()) >= MESSAGE_WORDS and not STATEMENT.match(string):
                    yield number, string


def extract(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".go":
        return go(text)
    if path.suffix == ".sql":
        return comments(text, "--")
    if path.suffix == ".py":
        return [*comments(text, "#"), *docstrings(text)]
    return comments(text, "#")


def main(directory, *files):
    for name in files:
        path = Path(name)
        lines = [""] * (path.read_text(encoding="utf-8").count("\n") + 2)
        for number, text in extract(path):
            lines[number] += text + " "
        target = Path(directory, name + ".txt")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(lines), encoding="utf-8")


main(*sys.argv[1:])
