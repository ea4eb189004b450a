#include "sdk/conformance/elf.h"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "qatlas/check.h"
#include "qatlas/conformance/suite.h"

namespace qatlas::conformance {
namespace {

// A file of a stranger's: nothing is read that was not seen to lie within it.
class File {
 public:
  explicit File(std::string bytes) : bytes_(std::move(bytes)) {}

  template <typename T>
  std::optional<T> At(uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }
  // A text that ends with a zero byte, in the table of strings of a section.
  std::string Text(const Elf64_Shdr& strings, uint64_t index) const {
    if (index >= strings.sh_size || strings.sh_offset > bytes_.size() ||
        index >= bytes_.size() - strings.sh_offset) {
      return "";
    }
    const char* begin = bytes_.data() + strings.sh_offset + index;
    return std::string(begin, strnlen(begin, bytes_.data() + bytes_.size() - begin));
  }
  size_t size() const { return bytes_.size(); }

 private:
  std::string bytes_;
};

std::optional<Symbol> Exported(const File& file, const Elf64_Sym& symbol,
                               const Elf64_Shdr& strings) {
  const int visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  if (symbol.st_shndx == SHN_UNDEF) return std::nullopt;
  if (visibility == STV_HIDDEN || visibility == STV_INTERNAL) return std::nullopt;
  Symbol result = {file.Text(strings, symbol.st_name), Binding::kStrong};
  switch (ELF64_ST_BIND(symbol.st_info)) {
    case STB_GLOBAL:
      return result;
    case STB_WEAK:
      result.binding = Binding::kWeak;
      return result;
    case STB_GNU_UNIQUE:
      result.binding = Binding::kUnique;
      return result;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<SharedLibrary> ReadSharedLibrary(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  const File file(std::string(std::istreambuf_iterator<char>(in), {}));
  const absl::Status other =
      absl::InvalidArgumentError(absl::StrCat(path, ": no 64-bit shared library of ELF"));
  const auto header = file.At<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_type != ET_DYN) {
    return other;
  }
  std::vector<Elf64_Shdr> sections;
  for (int i = 0; i < header->e_shnum; ++i) {
    const auto section = file.At<Elf64_Shdr>(header->e_shoff + i * sizeof(Elf64_Shdr));
    if (!section) return other;
    sections.push_back(*section);
  }
  SharedLibrary library;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_DYNSYM && section.sh_type != SHT_DYNAMIC) continue;
    if (section.sh_link >= sections.size() || section.sh_offset > file.size() ||
        section.sh_size > file.size() - section.sh_offset) {
      return other;
    }
    const Elf64_Shdr& strings = sections[section.sh_link];
    const uint64_t end = section.sh_offset + section.sh_size;
    if (section.sh_type == SHT_DYNSYM) {
      for (uint64_t at = section.sh_offset; at + sizeof(Elf64_Sym) <= end;
           at += sizeof(Elf64_Sym)) {
        if (auto symbol = Exported(file, *file.At<Elf64_Sym>(at), strings)) {
          library.exported.push_back(*std::move(symbol));
        }
      }
    } else {
      for (uint64_t at = section.sh_offset; at + sizeof(Elf64_Dyn) <= end;
           at += sizeof(Elf64_Dyn)) {
        const Elf64_Dyn entry = *file.At<Elf64_Dyn>(at);
        if (entry.d_tag == DT_NEEDED)
          library.needed.push_back(file.Text(strings, entry.d_un.d_val));
      }
    }
  }
  return library;
}

absl::StatusOr<bool> UsesLibTorch(const std::string& path) {
  QATLAS_ASSIGN_OR_RETURN(const SharedLibrary library, ReadSharedLibrary(path));
  for (const std::string& needed : library.needed) {
    if (absl::StartsWith(needed, "libtorch") || absl::StartsWith(needed, "libc10")) return true;
  }
  return false;
}

}  // namespace qatlas::conformance
