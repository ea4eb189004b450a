#include "framework/train/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <vector>

#include "nlohmann/json.hpp"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

constexpr size_t kLongestRequest = 1 << 14;
constexpr int kMostDescriptors = 16;

struct Request {
  std::string folder;
  std::vector<int> descriptors;  // closed by whoever takes the request
};

int Threads() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task")) {
    ++count;
  }
  return count;
}

// False: the other side is gone.
bool Send(int socket, const nlohmann::json& message) {
  const std::string text = message.dump();
  ssize_t count;
  do {
    count = send(socket, text.data(), text.size(), MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count >= 0;
}

// False: the other side is gone, or what it sends is no request of ours.
bool Receive(int socket, Request* request) {
  char text[kLongestRequest];
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))];
  iovec part = {text, sizeof(text)};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t count;
  do {
    count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t size = header->cmsg_len - CMSG_LEN(0);
    const int* first = reinterpret_cast<const int*>(CMSG_DATA(header));
    request->descriptors.assign(first, first + size / sizeof(int));
  }
  const auto json = nlohmann::json::parse(text, text + count, nullptr, /*allow_exceptions=*/false);
  const bool whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && json.is_object() &&
                     json.contains("run") && json["run"].is_string() &&
                     request->descriptors.size() >= 2;
  if (whole) request->folder = json["run"].get<std::string>();
  return whole;
}

// In the forked process: what exec'ing a program of its own would have set.
void BecomeWorker(const Request& request, pid_t server, int socket, int children, int go) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  // Nothing is done before the other side knows of us: the pipe closes when the server has told it,
  // or has died, which may also have been before the signal was asked for.
  char ignored;
  while (read(go, &ignored, 1) < 0 && errno == EINTR) {
  }
  close(go);
  if (getppid() != server) _exit(127);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(request.descriptors[0], STDOUT_FILENO) < 0 ||
      dup2(request.descriptors[1], STDERR_FILENO) < 0) {
    _exit(127);
  }
  close(null);
  close(request.descriptors[0]);
  close(request.descriptors[1]);
  close(socket);
  close(children);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

int Serve(int socket, const std::function<int(const std::string& folder)>& run) {
  QATLAS_CHECK(Threads() == 1, "a worker that forks must not have threads");
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_ended, nullptr);
  const int children = signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
  QATLAS_CHECK(children >= 0, "signalfd failed");
  fcntl(socket, F_SETFD, FD_CLOEXEC);
  const pid_t server = getpid();
  while (true) {
    pollfd files[] = {{socket, POLLIN, 0}, {children, POLLIN, 0}};
    if (poll(files, std::size(files), -1) < 0) {
      QATLAS_CHECK(errno == EINTR, "poll failed");
      continue;
    }
    // First who ended: a worker's end is told before the next one's start.
    signalfd_siginfo ignored;
    while (read(children, &ignored, sizeof(ignored)) > 0) {
    }
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (!Send(socket, {{"ended", pid}, {"status", status}})) return 0;
    }
    if ((files[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    Request request;
    if (!Receive(socket, &request)) return 0;
    // What is buffered now would be written twice.
    std::fflush(nullptr);
    int go[2];
    QATLAS_CHECK(pipe2(go, O_CLOEXEC) == 0, "no pipe");
    const pid_t pid = fork();
    if (pid == 0) {
      close(go[1]);
      BecomeWorker(request, server, socket, children, go[0]);
      const int code = run(request.folder);
      std::fflush(nullptr);
      // Not exit(): all files are closed, and tearing LibTorch down takes longer than forking.
      _exit(code);
    }
    const int error = errno;
    close(go[0]);
    for (int fd : request.descriptors) close(fd);
    if (pid > 0) setpgid(pid, pid);  // in both, so that it has happened whoever runs first
    const bool sent = pid > 0 ? Send(socket, {{"started", pid}})
                              : Send(socket, {{"error", std::strerror(error)}});
    close(go[1]);
    if (!sent) return 0;
  }
}

}  // namespace qatlas::train
