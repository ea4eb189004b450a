#include "framework/runs/worker_host.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/runs/descriptor.h"
#include "framework/runs/files.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

// What waitpid gives for a process that SIGKILL ended.
constexpr int kKilledStatus = SIGKILL;

bool SendRequest(int socket, const std::string& folder, const std::vector<int>& descriptors) {
  std::string text = nlohmann::json({{"run", folder}}).dump();
  const size_t size = descriptors.size() * sizeof(int);
  std::vector<char> control(CMSG_SPACE(size));
  iovec part = {text.data(), text.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(header), descriptors.data(), size);
  ssize_t count;
  do {
    count = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count >= 0;
}

}  // namespace

WorkerHost::WorkerHost(std::string program) : program_(std::move(program)) {}

WorkerHost::~WorkerHost() { Bury(); }

absl::Status WorkerHost::Launch() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return FileError("make a socket for", program_, errno);
  }
  Descriptor ours{pair[0]}, theirs{pair[1]};
  SpawnOptions spawn;
  spawn.command = {program_, "serve", "--socket", absl::StrCat(theirs.fd)};
  spawn.inherit = {theirs.fd};
  QATLAS_ASSIGN_OR_RETURN(host_, Spawn(spawn));
  socket_ = ours.Release();
  return absl::OkStatus();
}

void WorkerHost::Bury() {
  if (socket_ < 0) return;
  close(socket_);
  socket_ = -1;
  // It ends by itself when the socket closes; one that hangs is not waited for.
  kill(host_.pid, SIGTERM);
  while (waitpid(host_.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  close(host_.output);
  if (host_.handle >= 0) close(host_.handle);
  host_ = Child();
  for (auto& [pid, orphan] : running_) orphan = true;
}

bool WorkerHost::Read(bool wait) {
  char text[1 << 12];
  while (socket_ >= 0) {
    const ssize_t count = recv(socket_, text, sizeof(text), wait ? 0 : MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    if (count <= 0) {
      Bury();
      return false;
    }
    nlohmann::json json =
        nlohmann::json::parse(text, text + count, nullptr, /*allow_exceptions=*/false);
    if (json.is_object() && json.contains("ended")) {
      ended_[json["ended"].get<pid_t>()] = json.value("status", kKilledStatus);
    } else {
      replies_.push_back(std::move(json));
      wait = false;  // what else is there
    }
  }
  return false;
}

absl::StatusOr<Child> WorkerHost::Start(const std::string& folder, const std::string& stderr_file,
                                        const std::vector<int>& keep) {
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) return FileError("make a pipe for", program_, errno);
  Descriptor read_end{output[0]}, write_end{output[1]};
  Descriptor errors{open(stderr_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)};
  if (errors.fd < 0) return FileError("open", stderr_file, errno);
  std::vector<int> descriptors = {write_end.fd, errors.fd};
  descriptors.insert(descriptors.end(), keep.begin(), keep.end());
  // A host that died while nobody looked shows now: once more with a new one.
  for (int attempt = 0; attempt < 2; ++attempt) {
    Read(/*wait=*/false);
    if (socket_ < 0) QATLAS_RETURN_IF_ERROR(Launch());
    replies_.clear();
    if (!SendRequest(socket_, folder, descriptors)) {
      Bury();
      continue;
    }
    while (replies_.empty() && Read(/*wait=*/true)) {
    }
    if (replies_.empty()) continue;
    const nlohmann::json& reply = replies_.back();
    if (!reply.is_object() || !reply.contains("started")) {
      return absl::UnavailableError(absl::StrCat(
          "cannot start a worker: ", reply.is_object() ? reply.value("error", "") : "no answer"));
    }
    Child child;
    child.pid = reply["started"].get<pid_t>();
    fcntl(read_end.fd, F_SETFL, O_NONBLOCK);
    child.output = read_end.Release();
    child.handle = static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0));
    // The host may have died right after its answer, before there was anything to bury with it.
    running_[child.pid] = socket_ < 0;
    return child;
  }
  return absl::UnavailableError(
      absl::StrCat("cannot start workers: ", program_, " serve ends at once"));
}

std::optional<int> WorkerHost::Reap(const Child& child) {
  Read(/*wait=*/false);
  const auto found = ended_.find(child.pid);
  if (found != ended_.end()) {
    const int status = found->second;
    ended_.erase(found);
    running_.erase(child.pid);
    return status;
  }
  const auto running = running_.find(child.pid);
  QATLAS_CHECK(running != running_.end(), "not a worker of this host");
  if (!running->second) return std::nullopt;
  // The kernel has sent it SIGTERM with its host's end.
  bool gone = kill(child.pid, 0) != 0 && errno == ESRCH;
  if (child.handle >= 0) {
    pollfd handle = {child.handle, POLLIN, 0};
    gone = poll(&handle, 1, 0) > 0;
  }
  if (!gone) return std::nullopt;
  running_.erase(running);
  return kKilledStatus;
}

}  // namespace qatlas::runs
