// What the fuzz targets share. A target gets bytes of a stranger's file, reads them as the programs
// do, and checks what must hold of anything that was accepted; what is refused must say why.
#ifndef QATLAS_TESTS_FUZZ_FUZZ_H_
#define QATLAS_TESTS_FUZZ_FUZZ_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

namespace qatlas::fuzz {

// Ends the process, which libFuzzer reports as a finding.
#define QATLAS_FUZZ_CHECK(condition, what)                    \
  do {                                                        \
    if (!(condition)) {                                       \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
                   std::string(absl::StrCat(what)).c_str());  \
      std::abort();                                           \
    }                                                         \
  } while (false)

inline absl::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A refusal must be the reader's and say something; "internal" and "unknown" are bugs.
inline void CheckRefusal(const absl::Status& status) {
  QATLAS_FUZZ_CHECK(!status.message().empty(), "a refusal without a message");
  QATLAS_FUZZ_CHECK(!absl::IsInternal(status) && !absl::IsUnknown(status), status.ToString());
}

// A file that lies in memory, for readers that want a path.
class MemoryFile {
 public:
  explicit MemoryFile(absl::string_view bytes) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    QATLAS_FUZZ_CHECK(descriptor_ >= 0, "no file in memory");
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t count = write(descriptor_, bytes.data() + done, bytes.size() - done);
      QATLAS_FUZZ_CHECK(count > 0, "a file in memory cannot be written");
      done += static_cast<size_t>(count);
    }
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return absl::StrCat("/proc/self/fd/", descriptor_); }

 private:
  int descriptor_;
};

}  // namespace qatlas::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // QATLAS_TESTS_FUZZ_FUZZ_H_
