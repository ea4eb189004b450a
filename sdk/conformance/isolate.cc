#include "qatlas/conformance/isolate.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <new>

#include "absl/strings/str_cat.h"
#include "qatlas/check.h"

namespace qatlas::conformance {
namespace {

// Two texts in memory that both processes see: one is whole while the other is being written, so
// that a process that dies while writing leaves the text before.
struct Board {
  static constexpr size_t kLongest = 1 << 16;
  std::atomic<int> whole{0};
  size_t size[2] = {0, 0};
  char text[2][kLongest];

  void Write(const std::string& from) {
    const int next = 1 - whole.load(std::memory_order_relaxed);
    size[next] = std::min(from.size(), kLongest);
    memcpy(text[next], from.data(), size[next]);
    whole.store(next, std::memory_order_release);
  }
  std::string Read() const {
    const int which = whole.load(std::memory_order_acquire);
    return std::string(text[which], std::min(size[which], kLongest));
  }
};
static_assert(std::atomic<int>::is_always_lock_free, "shared by two processes");

class SharedBoard {
 public:
  SharedBoard() {
    void* memory =
        mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    QATLAS_CHECK(memory != MAP_FAILED, "no shared memory");
    board_ = new (memory) Board();
  }
  ~SharedBoard() { munmap(board_, sizeof(Board)); }
  Board* operator->() { return board_; }

 private:
  Board* board_;
};

// One end of the tail that is kept of a process's output.
constexpr size_t kTail = 8192;

bool WriteAll(int file, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t count = write(file, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

// Reads what is there; false at the end of the file. `most` > 0 keeps that much of the end.
bool Drain(int file, std::string* text, size_t most = 0) {
  char buffer[4096];
  while (true) {
    const ssize_t count = read(file, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return true;
    if (count == 0) return false;
    text->append(buffer, static_cast<size_t>(count));
    if (most > 0 && text->size() > 2 * most) text->erase(0, text->size() - most);
  }
}

// In the forked process.
[[noreturn]] void Work(const std::function<std::string(const State&)>& work, pid_t parent,
                       int output, int answer, SharedBoard& board) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the signal was asked for
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
      dup2(output, STDERR_FILENO) < 0) {
    _exit(127);
  }
  // Else the last words of a process that crashes would die in its buffer.
  setvbuf(stdout, nullptr, _IONBF, 0);
  // A crash is an answer here; no core file is wanted, and no handler of the host's.
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  for (int number : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD}) signal(number, SIG_DFL);
  sigset_t empty;
  sigemptyset(&empty);
  sigprocmask(SIG_SETMASK, &empty, nullptr);
  const std::string result = work([&board](const std::string& text) { board->Write(text); });
  std::fflush(nullptr);
  // A byte in front tells an empty answer from none.
  WriteAll(answer, absl::StrCat("A", result));
  // Not exit(): destructors of libraries that were never to be unloaded.
  _exit(0);
}

}  // namespace

int ThreadCount() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

std::string Isolated::Reason(double limit) const {
  switch (end) {
    case End::kAnswered:
      return "";
    case End::kSignal: {
      const char* name = sigabbrev_np(code);
      return absl::StrCat("SIG", name != nullptr ? name : absl::StrCat(code), " (", strsignal(code),
                          ")");
    }
    case End::kExit:
      return absl::StrCat("it left the process with exit code ", code);
    case End::kTimeOut:
      return absl::StrCat("no end within ", limit, " s");
    case End::kNoProcess:
      return "no process could be started";
  }
  return "";
}

Isolated Isolate(const std::function<std::string(const State&)>& work, double limit) {
  QATLAS_CHECK(ThreadCount() == 1, "a process that forks must not have threads");
  using Clock = std::chrono::steady_clock;
  Isolated result;
  SharedBoard board;
  int output[2], answer[2];
  QATLAS_CHECK(pipe2(output, O_CLOEXEC | O_NONBLOCK) == 0, "no pipe");
  QATLAS_CHECK(pipe2(answer, O_CLOEXEC) == 0, "no pipe");
  fcntl(output[1], F_SETFL, 0);  // only our end must not block
  fcntl(answer[0], F_SETFL, O_NONBLOCK);
  // What is buffered now would be written twice.
  std::fflush(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    close(output[0]);
    close(answer[0]);
    Work(work, parent, output[1], answer[1], board);
  }
  const int error = errno;
  close(output[1]);
  close(answer[1]);
  int status = 0;
  bool ended = pid < 0;
  if (pid > 0) setpgid(pid, pid);  // in both, so that it has happened whoever runs first
  bool open_output = true, open_answer = true, killed = false;
  auto last = Clock::now();
  while (!ended) {
    pollfd files[] = {{open_output ? output[0] : -1, POLLIN, 0},
                      {open_answer ? answer[0] : -1, POLLIN, 0}};
    poll(files, std::size(files), open_output || open_answer ? 50 : 1);
    if (open_output) open_output = Drain(output[0], &result.output, kTail);
    if (open_answer) open_answer = Drain(answer[0], &result.answer);
    ended = waitpid(pid, &status, WNOHANG) == pid;
    // A slice is at most 50 ms long unless we were stopped, too.
    const auto now = Clock::now();
    result.seconds += std::min(std::chrono::duration<double>(now - last).count(), .2);
    last = now;
    if (!ended && !killed && result.seconds > limit) {
      kill(-pid, SIGKILL);
      killed = true;
    }
  }
  if (pid > 0) {
    kill(-pid, SIGKILL);  // what it left behind
    Drain(output[0], &result.output, kTail);
    Drain(answer[0], &result.answer);
  }
  close(output[0]);
  close(answer[0]);
  if (result.output.size() > kTail) result.output.erase(0, result.output.size() - kTail);
  result.trying = board->Read();
  if (pid < 0) {
    result.output = strerror(error);
  } else if (!result.answer.empty() && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    result.end = Isolated::End::kAnswered;
    result.answer.erase(0, 1);
  } else if (killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
    result.end = Isolated::End::kTimeOut;
  } else if (WIFSIGNALED(status)) {
    result.end = Isolated::End::kSignal;
    result.code = WTERMSIG(status);
  } else {
    result.end = Isolated::End::kExit;
    result.code = WEXITSTATUS(status);
  }
  return result;
}

}  // namespace qatlas::conformance
