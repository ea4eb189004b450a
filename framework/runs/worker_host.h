// The worker program kept loaded, which forks a process for every segment (framework/train/serve.h
// says why, and the protocol).
#ifndef QATLAS_FRAMEWORK_RUNS_WORKER_HOST_H_
#define QATLAS_FRAMEWORK_RUNS_WORKER_HOST_H_

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "framework/runs/process.h"
#include "nlohmann/json.hpp"

namespace qatlas::runs {

class WorkerHost {
 public:
  // Nothing is started before the first Start().
  explicit WorkerHost(std::string program);
  // Workers that still run are sent SIGTERM by the kernel.
  ~WorkerHost();
  WorkerHost(const WorkerHost&) = delete;
  WorkerHost& operator=(const WorkerHost&) = delete;

  // A process that trains the segment of `folder`, in a process group of its own, its standard
  // error appended to `stderr_file`, holding `keep` open. Reap() tells its end; not waitpid, since
  // it is the host's child. Starts the host where none runs; a host that died since is replaced.
  absl::StatusOr<Child> Start(const std::string& folder, const std::string& stderr_file,
                              const std::vector<int>& keep);

  // Status of waitpid(2) once a worker has ended. A worker whose host died takes SIGKILL as its
  // status once it is gone: what it would have said is lost.
  std::optional<int> Reap(const Child& child);

  // Readable when Reap() may have news; -1 where no host runs.
  int fd() const { return socket_; }

 private:
  absl::Status Launch();
  // Takes messages; waits for one where `wait`. False: the host is gone (and buried).
  bool Read(bool wait);
  void Bury();

  const std::string program_;
  Child host_;
  int socket_ = -1;
  std::vector<nlohmann::json> replies_;  // to requests, in their order
  std::map<pid_t, int> ended_;
  std::map<pid_t, bool> running_;  // pid -> its host has died
};

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_WORKER_HOST_H_
