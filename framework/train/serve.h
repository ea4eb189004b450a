// A worker that is asked for segment after segment and forks a process for each.
//
// Loading LibTorch takes about half a second, as long as a small segment trains. `qatlas-train
// serve` pays it once; what it forks shares the loaded libraries' pages and begins at once, and is
// still a process of its own, that may crash or be killed without harm to the others.
//
// Protocol, over a SOCK_SEQPACKET Unix socket, one JSON object a message:
//   to us    {"run": FOLDER} with the descriptors of standard output, of standard error, and any
//            number that the process is to keep open (claims)
//   from us  {"started": PID} or {"error": WHY}, once for each request and in their order;
//            {"ended": PID, "status": STATUS of waitpid(2)} whenever one ends
// When the other side closes, we end, and the kernel sends SIGTERM to what still runs.
#ifndef QATLAS_FRAMEWORK_TRAIN_SERVE_H_
#define QATLAS_FRAMEWORK_TRAIN_SERVE_H_

#include <functional>
#include <string>

namespace qatlas::train {

// Serves until the other side closes; returns the exit code of the program. `run` trains the
// segment of a folder in a forked process and gives its exit code. Must be called while the process
// has a single thread (aborts else: a fork would leave locks behind that nobody opens).
int Serve(int socket, const std::function<int(const std::string& folder)>& run);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_SERVE_H_
