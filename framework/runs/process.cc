#include "framework/runs/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "framework/runs/descriptor.h"
#include "framework/runs/files.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

// Runs in the child, between fork and exec: only what is safe after a fork with threads.
[[noreturn]] void BecomeProgram(char* const* arguments, pid_t parent, int output, int errors,
                                int null, const std::vector<int>& inherit, int report) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  // The parent may have died before the request was made.
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD}) signal(number, SIG_DFL);
  bool ok = dup2(null, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
            (errors < 0 || dup2(errors, STDERR_FILENO) >= 0);
  for (int fd : inherit) ok = ok && fcntl(fd, F_SETFD, 0) == 0;
  if (ok) execv(arguments[0], arguments);
  const int error = errno;
  const ssize_t ignored = write(report, &error, sizeof(error));
  (void)ignored;
  _exit(127);
}

}  // namespace

absl::StatusOr<Child> Spawn(const SpawnOptions& options) {
  std::vector<char*> arguments;
  for (const std::string& argument : options.command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  int output[2], report[2];
  if (pipe2(output, O_CLOEXEC) != 0) return FileError("make a pipe for", options.command[0], errno);
  Descriptor output_read{output[0]}, output_write{output[1]};
  if (pipe2(report, O_CLOEXEC) != 0) return FileError("make a pipe for", options.command[0], errno);
  Descriptor report_read{report[0]}, report_write{report[1]};
  Descriptor null{open("/dev/null", O_RDONLY | O_CLOEXEC)};
  if (null.fd < 0) return FileError("open", "/dev/null", errno);
  Descriptor errors;
  if (!options.stderr_file.empty()) {
    errors.fd = open(options.stderr_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (errors.fd < 0) return FileError("open", options.stderr_file, errno);
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return FileError("start", options.command[0], errno);
  if (pid == 0) {
    BecomeProgram(arguments.data(), parent, output[1], errors.fd, null.fd, options.inherit,
                  report[1]);
  }
  setpgid(pid, pid);  // in both, so that it has happened whoever runs first
  close(report_write.Release());
  int error = 0;
  ssize_t count;
  do {
    count = read(report[0], &error, sizeof(error));
  } while (count < 0 && errno == EINTR);
  if (count == static_cast<ssize_t>(sizeof(error))) {
    waitpid(pid, nullptr, 0);
    return FileError("run", options.command[0], error);
  }
  fcntl(output[0], F_SETFL, O_NONBLOCK);
  Child child;
  child.pid = pid;
  child.output = output_read.Release();
  child.handle = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  return child;
}

absl::StatusOr<Finished> RunToEnd(const std::vector<std::string>& command,
                                  const std::vector<int>& inherit) {
  Descriptor errors{memfd_create("stderr", MFD_CLOEXEC)};
  if (errors.fd < 0) return FileError("run", command[0], errno);
  SpawnOptions options;
  options.command = command;
  options.inherit = inherit;
  options.stderr_file = absl::StrCat("/proc/self/fd/", errors.fd);
  QATLAS_ASSIGN_OR_RETURN(const Child child, Spawn(options));
  Descriptor output{child.output}, handle{child.handle};
  Finished finished;
  char buffer[1 << 16];
  while (true) {
    pollfd wait = {child.output, POLLIN, 0};
    poll(&wait, 1, -1);
    const ssize_t count = read(child.output, buffer, sizeof(buffer));
    if (count > 0) finished.output.append(buffer, count);
    if (count == 0) break;
    if (count < 0 && errno != EAGAIN && errno != EINTR) break;
  }
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) finished.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) finished.signal = WTERMSIG(status);
  ssize_t count;
  off_t offset = 0;
  while ((count = pread(errors.fd, buffer, sizeof(buffer), offset)) > 0) {
    finished.errors.append(buffer, count);
    offset += count;
  }
  return finished;
}

}  // namespace qatlas::runs
