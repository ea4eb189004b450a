#!/usr/bin/env python3
"""Writes down the layout of the SDK's public types, as the compiler has it, and compares it with the record.

usage: record.py HEADERS RECORDS OBJECT...           compares; exit code 1 where they differ
       record.py --write HEADERS RECORDS OBJECT...   writes the record of a number that has none yet

HEADERS is sdk/include/qatlas, RECORDS the folder of <number>.txt, OBJECTs are compiled with -g and name the
types (tests/sdk/abi). A record holds, for every struct and class of namespace qatlas: size, bases, members with
offset and type, virtual functions in the order of the virtual table; and for every enum its values.
"""
import difflib
import pathlib
import re
import subprocess
import sys

# Namespaces whose types do not cross the boundary between a plugin and its host.
PRIVATE = {'internal', 'formula', 'conformance', 'kernels', 'law_parts', 'vector_math'}
# Used on one side alone.
ONE_SIDED = {'LawIsa'}


class Die:
    """One entry of the debug information."""

    def __init__(self, tag, parent):
        self.tag, self.parent, self.attributes, self.children = tag, parent, {}, []

    def __getitem__(self, name):
        return self.attributes.get(name, '')


def read(path):
    """All entries of an object file by their place in it, and the outermost ones."""
    text = subprocess.run(['readelf', '--debug-dump=info', '--wide', path], check=True, capture_output=True,
                          text=True).stdout
    dies, roots, stack = {}, [], []
    current = None
    for line in text.splitlines():
        entry = re.match(r'\s*<(\w+)><(\w+)>: Abbrev Number: \d+(?: \((DW_TAG_\w+)\))?', line)
        if entry:
            depth = int(entry[1], 16)
            del stack[depth:]
            if not entry[3]:
                current = None
                continue
            current = Die(entry[3][7:], stack[-1] if stack else None)
            (stack[-1].children if stack else roots).append(current)
            stack.append(current)
            dies[int(entry[2], 16)] = current
            continue
        attribute = re.match(r'\s*<\w+>\s+DW_AT_(\w+)\s*: (.*)', line)
        if attribute and current is not None:
            # "(strp) (offset: 0x2251): name": what stands before the value differs between versions of readelf.
            current.attributes[attribute[1]] = re.sub(r'^(?:\([^)]*\)\s*)*:?\s*', '', attribute[2].strip())
    return dies, roots


def without_defaults(name):
    """A type's name without the arguments that the standard's containers have by themselves."""
    while True:
        default = re.search(r', std::(?:allocator|less|default_delete)<', name)
        if not default:
            return name
        end, depth = default.end(), 1
        while depth:
            depth += {'<': 1, '>': -1}.get(name[end], 0)
            end += 1
        name = name[:default.start()] + name[end:]


def number(value):
    match = re.search(r'DW_OP_\w+: (\d+)', value)
    return int(match[1]) if match else int(value.split()[0], 0)


class Layouts:
    def __init__(self, path):
        self.dies, roots = read(path)
        self.inline = {die['name'] for die in self.dies.values()
                       if die.tag == 'namespace' and die['export_symbols'] and die['name']}
        self.text = {}
        for root in roots:
            self.scan(root, ())

    def scan(self, die, path):
        for child in die.children:
            if child.tag == 'namespace' and child['name'] not in PRIVATE:
                self.scan(child, path + (child['name'],))
            elif child.tag in ('structure_type', 'class_type', 'enumeration_type') and child['byte_size']:
                name = child['name']
                if path[:1] == ('qatlas',) or (not path and name.startswith('qatlas_')):
                    if '<' not in name and name:
                        self.text.setdefault(name, self.describe(child, name))

    def target(self, die):
        reference = re.match(r'<0x(\w+)>', die['type'])
        return self.dies[int(reference[1], 16)] if reference else None

    def type_name(self, die):
        """The type of an entry in C++, without what the standard library's version decides."""
        target = self.target(die)
        if target is None:
            return 'void'
        if target.tag == 'pointer_type' and (self.target(target) or target).tag == 'subroutine_type':
            return self.type_name(target)
        inner = {'pointer_type': '*', 'reference_type': '&', 'rvalue_reference_type': '&&'}
        if target.tag in inner:
            name = self.type_name(target)
            return name + inner[target.tag]
        if target.tag == 'const_type':
            name = self.type_name(target)
            return name + ' const' if name.endswith('*') else 'const ' + name
        if target.tag == 'array_type':
            bounds = [number(child['upper_bound']) + 1 for child in target.children if child['upper_bound']]
            return self.type_name(target) + ''.join(f'[{bound}]' for bound in bounds)
        if target.tag == 'subroutine_type':
            arguments = [self.type_name(child) for child in target.children if child.tag == 'formal_parameter']
            return f"{self.type_name(target)} (*)({', '.join(arguments)})"
        names, scope = [], target
        while scope is not None and scope.tag != 'compile_unit':
            # Inline namespaces are versions of somebody else's library, which the handshake compares.
            if scope['name'] and not (scope.tag == 'namespace' and scope['export_symbols']):
                names.insert(0, scope['name'])
            scope = scope.parent
        if target.tag == 'typedef' and names[0] == 'qatlas':
            return self.type_name(target)  # what our own alias stands for is ours to change
        name = '::'.join(names)
        for version in self.inline:
            name = name.replace(f'{version}::', '')
        name = name.replace('std::basic_string<char, std::char_traits<char>, '
                                                     'std::allocator<char> >', 'std::string')
        return re.sub(r'\s+>', '>', without_defaults(name))

    def describe(self, die, name):
        lines = [f"{'enum' if die.tag == 'enumeration_type' else 'struct'} {name}, {number(die['byte_size'])} bytes"]
        virtuals = {}
        for child in die.children:
            if child.tag == 'enumerator':
                lines.append(f"  {child['name']} = {number(child['const_value'])}")
            elif child.tag == 'inheritance':
                lines.append(f"  {number(child['data_member_location'] or '0'):4} base {self.type_name(child)}")
            elif child.tag == 'member' and child['data_member_location'] != '':
                what = 'virtual table' if child['name'].startswith('_vptr') else \
                    f"{self.type_name(child)} {child['name']}"
                lines.append(f"  {number(child['data_member_location']):4} {what}")
            elif child.tag == 'subprogram' and child['virtuality'] and child['vtable_elem_location']:
                virtuals[number(child['vtable_elem_location'])] = child
        for slot in sorted(virtuals):
            function = virtuals[slot]
            arguments = [self.type_name(argument) for argument in function.children
                         if argument.tag == 'formal_parameter']
            # The first is the object; whether it is const is part of the name.
            constant = ' const' if arguments and arguments[0].startswith('const ') else ''
            lines.append(f"  virtual {slot}: {self.type_name(function)} {function['name']}"
                         f"({', '.join(arguments[1:])}){constant}")
        return '\n'.join(lines)


def public_types(headers):
    """Names that the headers define at namespace level, so that none is forgotten."""
    names = set()
    for header in sorted(headers.glob('*.h')):
        text = re.sub(r'//[^\n]*|/\*.*?\*/', '', header.read_text(), flags=re.S)
        scopes, template = [], False
        for line in text.splitlines():
            opened = re.match(r'namespace (?:qatlas::)?(\w*) ?\{', line)
            if opened:
                scopes.append(opened[1])
            elif line.startswith('}') and not line.startswith('};') and 'typedef' not in line and scopes \
                    and line.strip() == '}':
                scopes.pop()
            if line.startswith('template'):
                template = True
                continue
            defined = re.match(r'(?:typedef )?(?:struct|class|enum class|enum) (\w+)(?: final)?(?: :[^{]*)? \{', line)
            if defined and not template and not any(scope in PRIVATE for scope in scopes):
                names.add(defined[1])
            template = template and not line.rstrip().endswith((';', '{', '}'))
    return names


def main(arguments):
    write = arguments[:1] == ['--write']
    headers, records, *objects = [pathlib.Path(a) for a in arguments[write:]]
    abi = re.search(r'#define QATLAS_SDK_ABI (\d+)', (headers / 'abi.h').read_text())[1]
    types = {}
    for path in objects:
        for name, text in Layouts(path).text.items():
            if types.setdefault(name, text) != text:
                sys.exit(f'two layouts of {name}:\n{types[name]}\n{text}')
    missing = sorted(public_types(headers) - set(types) - ONE_SIDED)
    if missing:
        sys.exit(f"these public types are in no record; name them in tests/sdk/abi: {', '.join(missing)}")
    text = '\n\n'.join(types[name] for name in sorted(types)) + '\n'
    record = records / f'{abi}.txt'
    if not record.exists():
        if not write:
            sys.exit(f'{record} is missing: QATLAS_SDK_ABI was raised to {abi}; run script/abi, which writes it, and '
                     'say in docs/versioning.md what changed')
        record.write_text(text)
        print(record)
        return
    if record.read_text() == text:
        print(f'SDK ABI {abi}: {len(types)} types as recorded')
        return
    sys.stdout.writelines(difflib.unified_diff(record.read_text().splitlines(True), text.splitlines(True),
                                               str(record), 'the headers', n=1))
    sys.exit(f'\nthe layout above changed, and QATLAS_SDK_ABI is {abi} as before. Plugins built with either would '
             f'load in the other and crash. Raise QATLAS_SDK_ABI in sdk/include/qatlas/abi.h and run script/abi, or '
             f'take the change back. Records are never rewritten.')


if __name__ == '__main__':
    main(sys.argv[1:])
