#include "framework/plugin/elf.h"

#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace qatlas::plugin {
namespace {

template <typename T>
bool ReadAt(std::ifstream& file, uint64_t offset, T* value) {
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(reinterpret_cast<char*>(value), sizeof(T));
  return file.gcount() == static_cast<std::streamsize>(sizeof(T));
}

std::string Truncated(uint64_t needed, uint64_t size) {
  return absl::StrCat("it is truncated: its headers need ", needed, " bytes, the file has ", size,
                      "; build or install it again");
}

}  // namespace

std::string TruncatedLibrary(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "";  // opening it says why
  const uint64_t size = static_cast<uint64_t>(file.tellg());
  char magic[SELFMAG] = {};
  if (!ReadAt(file, 0, &magic) || std::memcmp(magic, ELFMAG, SELFMAG) != 0) return "";
  Elf64_Ehdr header;
  if (!ReadAt(file, 0, &header)) return Truncated(sizeof(header), size);
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return "";
  uint64_t needed = header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize;
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    const uint64_t at = header.e_phoff + i * header.e_phentsize;
    Elf64_Phdr segment;
    if (!ReadAt(file, at, &segment)) return Truncated(at + sizeof(segment), size);
    needed = std::max<uint64_t>(needed, segment.p_offset + segment.p_filesz);
  }
  return needed > size ? Truncated(needed, size) : "";
}

}  // namespace qatlas::plugin
