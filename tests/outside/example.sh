#!/usr/bin/env bash
# usage: example.sh SOURCE KIND NAME INSTALL WORK COMPILER
# A plugin that was written from the installed docs alone, as its README says: built against the install, its own tests,
# the conformance checks, and a run of its recipe (made small) or of its table. What its README claims must come out.
set -euo pipefail
source=$(cd "$1" && pwd) kind="$2" name="$3" install=$(cd "$4" && pwd) compiler="$6"
rm -rf "$5"
mkdir -p "$5"
cp -r "$source" "$5/$name"
cd "$5/$name"
cmake -S . -B build -G Ninja -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$install"
cmake --build build
ctest --test-dir build --output-on-failure
qatlas="$install/bin/qatlas"
"$qatlas" plugin check "build/$kind-$name.so" | tee checks
grep -qx "  $kind $name" checks

# usage: small_run RECIPE VALUE...: the recipe on 32 steps of one seed
small_run() {
  "$qatlas" --plugin-path build run "$1" --jobs 2 data.train_tokens=100_000 data.validation_tokens=10_000 \
    training.validation_sequences=32 'grid.main.tokens=[16_384]' 'grid.main.seeds=[1]' "${@:2}"
}
case "$name" in
  ternary)
    small_run recipe.toml
    python3 - store/studies/ternary "$source" <<'PY'
import csv, math, pathlib, sys
example = pathlib.Path(sys.argv[2])
page = (example / '../../../docs/sdk.md').read_text()
shown = page.split('### A whole quantizer')[1].split('```cpp\n')[1].split('```')[0]
assert shown in (example / 'ternary.cc').read_text(), 'docs/sdk.md shows another quantizer'
study = pathlib.Path(sys.argv[1])
rows = list(csv.DictReader(open(study / 'observations.csv')))
assert len(rows) == 7 and all(row['status'] == 'done' for row in rows), rows
labels = {(row['scheme'], row['part']): (row['precision'], row['granularity']) for row in rows}
assert labels[('ternary', 'both')] == ('W1.585A8', 'per-tensor+token'), labels
assert labels[('ternary', 'weights')] == ('W1.585', 'per-tensor'), labels
assert labels[('int4', 'both')] == ('W4A8', 'per-tensor+token'), labels
delta = {(row['scheme'], row['part']): float(row['delta']) for row in rows if row['scheme'] != 'fp'}
assert all(math.isfinite(value) for value in delta.values()), delta
assert len(set(delta.values())) == 6, f'no two cells are alike: {delta}'
report = (study / 'report/report.html').read_text()
assert 'What quantization costs' in report and 'W1.585A8' in report
PY
    ;;
  gpt2)
    small_run recipe.toml
    python3 - store/studies/gpt2 <<'PY'
import csv, math, pathlib, sys
study = pathlib.Path(sys.argv[1])
rows = list(csv.DictReader(open(study / 'observations.csv')))
assert len(rows) == 6 and all(row['status'] == 'done' for row in rows), rows
assert {row['model'] for row in rows} == {'gpt2', 'llama'}, rows
assert {row['N'] for row in rows} == {str(2 * 27_648)}, 'as many weights in the linears of either'
# Both are trained: well below ln 128 = 4.85, the loss of knowing nothing.
assert all(float(row['loss']) < 4.6 for row in rows), rows
assert all(math.isfinite(float(row['delta'])) for row in rows if row['scheme'] != 'fp'), rows
assert 'gpt2' in (study / 'report/report.html').read_text()
PY
    # From a file as GPT-2's are published: Hugging Face's names, linears [in, out], masks.
    python3 - <<'PY'
import json, math, pathlib, re, struct
width, vocabulary, context = 48, 128, 64
shapes = {'wte.weight': [vocabulary, width], 'wpe.weight': [context, width]}
for block in ('h.0.', 'h.1.'):
    for name, rows in (('attn.c_attn', 3 * width), ('attn.c_proj', width), ('mlp.c_fc', 4 * width)):
        shapes |= {f'{block}{name}.weight': [width, rows], f'{block}{name}.bias': [rows]}
    shapes |= {f'{block}mlp.c_proj.weight': [4 * width, width], f'{block}mlp.c_proj.bias': [width]}
    for name in ('ln_1', 'ln_2'):
        shapes |= {f'{block}{name}.weight': [width], f'{block}{name}.bias': [width]}
    shapes[block + 'attn.bias'] = [1, 1, context, context]
shapes |= {'ln_f.weight': [width], 'ln_f.bias': [width]}
header, data = {}, b''
for name, shape in shapes.items():
    values = [.02 * math.sin(1.7 * i + len(data)) for i in range(math.prod(shape))]
    packed = struct.pack(f'<{len(values)}f', *values)
    header[f'transformer.{name}'] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [len(data), len(data) + len(packed)]}
    data += packed
text = json.dumps(header).encode()
pathlib.Path('gpt2.safetensors').write_bytes(struct.pack('<Q', len(text)) + text + data)
recipe = pathlib.Path('recipe.toml').read_text().replace('models = ["gpt2", "llama"]', 'models = ["gpt2"]')
recipe = re.sub(r'\[model.llama\][^[]*', '', recipe).replace('tied = false', 'tied = true')
pathlib.Path('start.toml').write_text(recipe + '\n[start]\ncheckpoint = "gpt2.safetensors"\n')
PY
    small_run start.toml recipe.name='"start"'
    grep -c ',done,' store/studies/start/observations.csv | grep -qx 3
    ;;
  rounding-noise)
    lab() { "$qatlas" --plugin-path build --json "$1" runs.csv --target delta "${@:2}"; }
    lab fit --law rounding-noise >fit.json
    lab fit --law rounding-noise --fix c=2 --fix g=1 >argument.json
    lab compare --laws rounding-noise,qat-unified,qat-no-data >blind.json
    lab compare --laws rounding-noise,qat-unified --per k=precision >each.json
    python3 - <<'PY'
import json
fit, argument, blind, each = (json.load(open(f'{name}.json')) for name in ('fit', 'argument', 'blind', 'each'))
fit, argument = fit['ranking'][0]['fit'], argument['ranking'][0]['fit']
truth = {'w': .9, 'x': 1.6, 'c': 1.8, 'd': .06, 'a': .2, 'g': .8}
found = {parameter['name']: parameter['interval'] for parameter in fit['parameters']}
assert all(found[name][0] < value < found[name][1] for name, value in truth.items()), found
misses = argument['mean_relative_error'] / fit['mean_relative_error']
assert 1.5 < misses < 2.5, f'the argument alone misses by {misses} times as much'
assert blind['verdict'] != 'undecided' and blind['ranking'][0]['name'] == 'rounding-noise', blind['sentence']
for law in blind['ranking'][1:]:
    assert law['fit']['mean_relative_error'] > 10 * fit['mean_relative_error'], law['name']
assert each['verdict'] == 'undecided', each['sentence']
free = {law['name']: law['fit']['free_parameters'] for law in each['ranking']}
assert free == {'rounding-noise': 6, 'qat-unified': 8}, free
restricted = [(law['restricted'], law['full'], law['degrees']) for law in each['nested']]
assert restricted == [('rounding-noise', 'qat-unified', 2)], each['nested']
PY
    ;;
  *) echo "nothing is known of the example $name"; exit 1 ;;
esac
echo "$kind $name: built, checked and used"
