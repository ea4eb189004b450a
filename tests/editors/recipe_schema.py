"""The JSON Schema of recipes: what ships is valid; misspelt keys, wrong types and values out of range are not, and
the program refuses them too.

usage: recipe_schema.py QATLAS SOURCE
"""
import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

try:
    import jsonschema
except ImportError:
    print("skipped: no python3-jsonschema (script/bootstrap --tests installs it)")
    sys.exit(77)

qatlas, source = sys.argv[1], pathlib.Path(sys.argv[2])
environment = {key: value for key, value in os.environ.items() if key != "QATLAS_PLUGIN_PATH"}


def run(*arguments):
    return subprocess.run([qatlas, *arguments], capture_output=True, text=True, env=environment)


schema = json.loads(run("recipe", "schema").stdout)
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
failures = []
recipes = sorted((source / "recipes").glob("*.toml"))
assert len(recipes) >= 4, recipes
for file in recipes:
    for error in validator.iter_errors(tomllib.loads(file.read_text())):
        failures.append(f"{file.name}: {error.json_path}: {error.message[:300]}")


def text_of(value):
    """TOML of a value, tables inline."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return "{" + ", ".join(f"{json.dumps(key)} = {text_of(one)}" for key, one in value.items()) + "}"


def refused(recipe, place):
    """Whether the schema and the program refuse a recipe; they must agree."""
    by_schema = not validator.is_valid(recipe)
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write("".join(f"{json.dumps(key)} = {text_of(value)}\n" for key, value in recipe.items()))
        file.flush()
        by_program = run("recipe", "validate", file.name)
    if by_schema and by_program.returncode == 0:
        failures.append(f"{place}: the schema refuses what the program takes")
    return by_schema, by_program


def must_refuse(recipe, place):
    by_schema, by_program = refused(recipe, place)
    if not by_schema:
        failures.append(f"{place}: the schema takes it; the program: {by_program.stderr.strip()[:200] or 'takes it'}")


def leaves(value, path=()):
    """Paths of all keys of tables."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield path + (key,)
            yield from leaves(one, path + (key,))
    if isinstance(value, list):
        for i, one in enumerate(value):
            yield from leaves(one, path + (i,))


def changed(recipe, path, change):
    result = copy.deepcopy(recipe)
    table = result
    for part in path[:-1]:
        table = table[part]
    change(table, path[-1])
    return result


# Names that a person gives may be any.
free = {"model": 1, "scheme": 1}
smoke = tomllib.loads((source / "recipes" / "smoke.toml").read_text())
smoke["scheme"] = smoke.get("scheme", {}) | {
    "written": {"rules": [{"sites": "*.*.weight", "use": "int", "bits": 4, "group": 32, "granularity": "group"}]}
}
mutants = 0
for path in list(leaves(smoke)):
    if len(path) == 2 and path[0] in free:
        continue
    if path[0] == "scheme" and len(path) > 3 and path[1] != "written":
        continue

    def misspell(table, key):
        table[str(key) + "x"] = table.pop(key)

    def mistype(table, key):
        table[key] = {"no": {"such": 1}} if not isinstance(table[key], dict) else 7

    must_refuse(changed(smoke, path, misspell), f"misspelt {path}")
    must_refuse(changed(smoke, path, mistype), f"mistyped {path}")
    mutants += 2
assert mutants > 60, mutants

# Out of range, not among the choices, and what must not stand together.
valid, program = refused(smoke, "smoke")
assert not valid and program.returncode == 0, program.stderr
rule = ("scheme", "written", "rules", 0)
for path, value in [
    (rule + ("bits",), 9), (rule + ("bits",), 1), (rule + ("granularity",), "rows"), (rule + ("use",), "imt"),
    (("training", "schedule"), "wsx"), (("training", "threads"), 0), (("training", "final_fraction"), 1.5),
    (("training", "optimizer"), {"beta1": 1.0}), (("data", "source"), "texts"), (("grid", 0, "seeds"), [-1]),
    (("grid", 0, "parts"), ["boths"]), (("grid", 0, "qat"), {"fraction": 2}),
    (("grid", 0, "qat"), {"extra_tokens": 0}), (("grid", 0, "qat"), {"learning_rate": 1e-3}),
    (("grid", 0, "qat"), "scratsh"),
    (("grid", 0, "options"), {"bitz": [3]}), (("grid", 0, "options"), {"bits": 4}),
    (("fit",), [{"laws": ["chinchila"]}]), (("fit",), [{"laws": [{"use": "chinchilla", "formula": "L = E"}]}]),
    (("fit",), [{"laws": [{"use": "chinchilla", "start": {"E": True}}]}]), (("fit",), [{"laws": []}]),
    (("fit",), [{"laws": ["chinchilla"], "loss": "huberx"}]), (("report",), {}),
]:
    def put(table, key, value=value):
        table[key] = value

    must_refuse(changed(smoke, path, put), f"{path} = {value}")
# What is right in other ways is taken by both.
for path, value in [
    (rule + ("bits",), 2), (("grid", 0, "seeds"), 3), (("grid", 0, "qat"), ["scratch", {"fraction": 0.5}]),
    (("grid", 0, "qat"), {"extra_tokens": 65536, "learning_rate": 1e-3}),
    (("fit",), [{"target": "loss", "laws": "L = E + A/N^a"}]),
    (("fit",), [{"target": "loss", "laws": [{"formula": "L = E + A/N^a", "start": {"a": "0.1..1"}, "bounds": {"a": [0, 2]}}]}]),
]:
    def put(table, key, value=value):
        table[key] = value

    good = changed(smoke, path, put)
    by_schema, by_program = refused(good, f"{path} = {value}")
    if by_schema or by_program.returncode != 0:
        failures.append(f"{path} = {value} is refused: {by_program.stderr.strip()[:300]}"
                        f" {[e.message[:200] for e in validator.iter_errors(good)]}")

# Every key has a description for the editor.
def described(node, path):
    for key, one in node.get("properties", {}).items():
        if "description" not in one:
            failures.append(f"{path}.{key} has no description")
        described(one, f"{path}.{key}")
    for below in ("items", "additionalProperties"):
        if isinstance(node.get(below), dict):
            described(node[below], path)
    for below in ("anyOf", "oneOf"):
        for one in node.get(below, []):
            described(one, path)


described({"properties": {k: v for k, v in schema["properties"].items()}}, "")
for failure in failures[:40]:
    print(failure)
print(f"{len(recipes)} recipes, {mutants} mutants")
sys.exit(1 if failures else 0)
