// Claims: of all processes that share a store, one at a time trains a segment.
#ifndef QATLAS_FRAMEWORK_RUNS_CLAIM_H_
#define QATLAS_FRAMEWORK_RUNS_CLAIM_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

// Who wrote a claim's text.
struct ClaimHolder {
  pid_t pid = 0;
  std::string host;
  std::string boot;
  bool alive = false;  // the lock is held
};

// An exclusive flock on claims/<id>, whose text says who holds it (for people and `status`). The
// lock ends with the last process that has the file open, so a dead process holds nothing: its
// claim is free at once. The worker inherits the descriptor; should the sweep be killed, the claim
// is held until the worker is gone too, and nobody trains into its folder. On NFS this needs a
// server that passes locks on (NFSv4).
class Claim {
 public:
  // nullopt: somebody else holds it. Errors: what the system says, with the path.
  static absl::StatusOr<std::optional<Claim>> Try(const Store& store, const std::string& id);

  Claim(Claim&& other) noexcept;
  Claim& operator=(Claim&& other) noexcept;
  ~Claim();  // Removes the file and lets the lock go.

  int fd() const { return fd_; }

 private:
  Claim(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  void Release();
  std::string path_;
  int fd_ = -1;
};

// nullopt: there is no claim. Takes nothing and writes nothing.
std::optional<ClaimHolder> ReadClaim(const Store& store, const std::string& id);

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_CLAIM_H_
